"""Everything that is judged outside the walk of single points: detectors that say, and the judge of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from minewatch.contracts import (
    I8,
    LimitTable,
    NewReason,
    PointInfo,
    ReadingBatch,
    ScoreBatch,
    Subject,
    Transitions,
    TrialChange,
)
from minewatch.detect import judge, parcel
from minewatch.detect.company import live, trust
from minewatch.detect.company.settings import CompanySettings
from minewatch.detect.gateways import Gateways
from minewatch.detect.kernels.layout import Rows


class Outside:
    """Detectors of several points and their limits, for one thread at a time."""

    def __init__(self, company: CompanySettings) -> None:
        self.company = live.Company(company)
        self.trust = trust.Trust(company.trust)
        self.gateways = Gateways()
        self.judge = judge.Judge()

    @property
    def subjects(self) -> Sequence[Subject]:
        """What can be judged, for the rules to bind to."""
        return [*self.company.subjects, *self.trust.subjects, *self.gateways.subjects]

    def set_points(self, points: Sequence[PointInfo]) -> None:
        """Judge these points from now on."""
        self.company.set_points(points)
        self.trust.set_points(points)
        self.gateways.set_points(points)

    def set_limits(self, table: LimitTable, subjects: Sequence[Subject]) -> None:
        """Judge the subjects by these limits, which were bound to them, from now on."""
        self.judge.set_limits(table, subjects)

    def step(
        self, batch: ReadingBatch, trials: Sequence[TrialChange] = ()
    ) -> tuple[ScoreBatch, Transitions, tuple[NewReason, ...]]:
        """Take readings in, with the quality that the engine gave them, and what it found of test gas."""
        scores, said = self.company.take(batch)
        more, slow = self.trust.take(batch)
        found, newer = self.judge.take([*said, *slow, *self.trust.tested(trials)])
        return live.joined([scores, *more]), found, newer

    def arrive(self, batch: ReadingBatch, now_ns: int) -> None:
        """Note when live readings arrive, by the service's clock."""
        self.gateways.arrive(batch, now_ns)

    def tick(self, rows: Rows, now_ns: int) -> Transitions:
        """Look at what only the clock can tell; ``rows`` is what the engine knows of the points."""
        return self.judge.take(self.gateways.look(rows, now_ns))[0]

    def resume(self, keys: I8) -> None:
        """Take these limits as active, and no others."""
        self.judge.resume(keys)

    @staticmethod
    def warm_up() -> None:
        """Compile what all of them need, before readings come."""
        live.Company.warm_up()
        trust.Trust.warm_up()
        Gateways.warm_up()

    def snapshot(self) -> bytes:
        """Return everything that is remembered, as bytes that prove themselves whole."""
        return b"".join(self.encode())

    def encode(self) -> Iterator[bytes]:
        """Yield the bytes of a snapshot."""
        parts = {
            "judge": self.judge.state(),
            "company": self.company.state(),
            "trust": self.trust.state(),
        }
        yield parcel.pack(
            {k: a for name, part in parts.items() for k, a in parcel.inside(name, part).items()}
        )

    def restore(self, data: bytes) -> None:
        """Go on where a snapshot stood. Raises StoreError, and changes nothing, when it cannot be read."""
        arrays = parcel.unpack(data, {**judge.KINDS, **live.KINDS, **trust.KINDS})
        self.judge.restore(parcel.of("judge", arrays))
        self.company.restore(parcel.of("company", arrays))
        self.trust.restore(parcel.of("trust", arrays))
