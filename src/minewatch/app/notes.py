"""Notes of gateways: what each kind means, and when its id may be acknowledged.

A note is taken once, by its id. It is acknowledged when what it caused is in the journal, as readings are
when they are in the store. One that cannot be read is rejected with a reason and acknowledged all the same:
it must not hold up the rows behind it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeAlias

from prometheus_client import Counter

from minewatch.alerts import told
from minewatch.alerts.book import AlertBook
from minewatch.alerts.loss import Loss
from minewatch.alerts.texts import shown
from minewatch.app.delivery import Ledger, SpoolName
from minewatch.app.rejects import Rejects
from minewatch.contracts import AlertEvent, Note, Rejected
from minewatch.store.records.rejects import kept

NOTES = Counter("minewatch_core_notes_total", "Notes taken from ingest.", ["result"])
RUNS_MOST = 10_000
IDS_END = 1 << 63
Kind: TypeAlias = Callable[[Mapping[str, Any], Note, SpoolName, int], "tuple[Runs, Events]"]
Runs: TypeAlias = Sequence[tuple[int, int]]
Events: TypeAlias = Sequence[AlertEvent]


class _Faulty(Exception):
    """A note that cannot be used: a stable word, and what is wrong."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Notes:
    """Takes notes; ``settle`` admits those whose events are stored."""

    def __init__(self, ledger: Ledger, book: AlertBook, rejects: Rejects) -> None:
        self._ledger = ledger
        self._book = book
        self._rejects = rejects
        self._pending: dict[tuple[SpoolName, int], Runs] = {}
        self._kinds: dict[str, Kind] = {"gap": self._gap, "alert": self._alert}

    def take(self, note: Note, name: SpoolName, now_ns: int) -> Events:
        """Return the events that a note causes; none for a repeat."""
        repeated = self._ledger.holds(name, note.msg_id) or (name, note.msg_id) in self._pending
        if repeated:
            return self._repeated(note, name)
        runs: Runs = ()
        events: Events = ()
        result = "taken"
        try:
            runs, events = self._read(note, name, now_ns)
        except _Faulty as error:
            result = "rejected"
            self._rejects.take([kept(Rejected(now_ns, name[0], error.reason, str(error)))])
        NOTES.labels(result).inc()
        self._pending[name, note.msg_id] = runs
        return events

    def _repeated(self, note: Note, name: SpoolName) -> Events:
        """Renew the ids that a gap speaks of: no store keeps them, so a restart has forgotten them."""
        NOTES.labels("repeated").inc()
        if (name, note.msg_id) not in self._pending:
            with suppress(_Faulty):
                kind, content = self._kind(note)
                if kind == "gap":
                    self._ledger.skip(name, _runs(content.get("ids"), note.msg_id))
        return ()

    def settle(self) -> None:
        """Admit what was taken: the journal holds what it caused."""
        for (name, number), runs in self._pending.items():
            if runs:
                self._ledger.skip(name, runs)
            self._ledger.hold(name, number)
        self._pending.clear()

    def _read(self, note: Note, name: SpoolName, now_ns: int) -> tuple[Runs, Events]:
        kind, content = self._kind(note)
        return self._kinds[kind](content, note, name, now_ns)

    def _kind(self, note: Note) -> tuple[str, Mapping[str, Any]]:
        try:
            content = json.loads(note.text)
        except (ValueError, RecursionError) as error:
            raise _Faulty("note", f"a note is no JSON: {error}") from None
        kind = content.get("kind") if isinstance(content, dict) else None
        if not isinstance(kind, str) or kind not in self._kinds:
            raise _Faulty("note-kind", f"a note of the unknown kind {kind!r}")
        return kind, content

    def _gap(
        self, content: Mapping[str, Any], note: Note, name: SpoolName, now_ns: int
    ) -> tuple[Runs, Events]:
        """Return the ids that will never come, and what was lost and why."""
        runs = _runs(content.get("ids"), note.msg_id)
        lacking = self._ledger.lacking(name, runs)
        if runs and not lacking:  # everything of it had arrived before
            return runs, ()
        site, _, gateway = name[0].partition("/")
        loss = Loss(
            site,
            gateway,
            cause=f"{name[1]}|{note.msg_id}",
            reason=_text(content.get("reason")),
            readings=_whole(content.get("readings")),
            rows=lacking,
            from_ns=_time_ns(content.get("from_ms")) or now_ns,
            to_ns=_time_ns(content.get("to_ms")) or now_ns,
            devices=_names(content.get("devices")),
        )
        return runs, self._book.lose(loss, now_ns)

    def _alert(
        self, content: Mapping[str, Any], _note: Note, name: SpoolName, now_ns: int
    ) -> tuple[Runs, Events]:
        """Merge what the gateway says of an alert that it judged by itself."""
        try:
            return (), self._book.hear(told.read(content, name[0]), now_ns)
        except ValueError as error:
            raise _Faulty("note", f"an alert that cannot be used: {error}") from None


def _runs(said: object, before: int) -> list[tuple[int, int]]:
    """Return runs of ids; a note speaks only of ids given before its own."""
    if not isinstance(said, list) or len(said) > RUNS_MOST:
        raise _Faulty("note", "a gap without a list of ids")
    found = []
    for run in said:
        if not (isinstance(run, list) and len(run) == 2 and all(type(i) is int for i in run)):
            raise _Faulty("note", f"{run!r} is no run of ids")
        if not 0 < run[0] <= run[1] < before:
            raise _Faulty("note", f"the ids {run!r} are none given before {before}")
        found.append((run[0], run[1]))
    return found


def _whole(said: object) -> int | None:
    return said if type(said) is int and 0 <= said < IDS_END else None


def _time_ns(said: object) -> int:
    return (_whole(said) or 0) * 1_000_000 if (_whole(said) or 0) < 9_000_000_000_000 else 0


def _text(said: object) -> str:
    return shown(said, 40) if isinstance(said, str) else ""


def _names(said: object) -> tuple[str, ...]:
    return tuple(shown(n, 100) for n in said[:50] if isinstance(n, str)) if isinstance(said, list) else ()
