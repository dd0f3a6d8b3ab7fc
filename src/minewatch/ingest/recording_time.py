"""The times of a recording: from the texts of a column to nanoseconds since 1970 UTC.

Local times are never guessed: a time in the hour that the clocks skip in spring is refused, and the hour that
comes twice in autumn is told apart by the order of the rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from minewatch.contracts import I8
from minewatch.ingest.map import FileMap

_SECOND_NS = 1_000_000_000
_MINUTE_NS = 60 * _SECOND_NS  # clocks are changed at a full minute; St John's did it at 00:01
_DAY_NS = 1_440 * _MINUTE_NS
_CHANGES = -(10**18)  # no offset: the clocks are changed on that day
_BACK_NS = _MINUTE_NS  # a step back of this much inside the doubled hour is the clock being put back
_REMEMBERED = 100_000  # local minutes whose offset is kept
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the origin of local times before their zone is applied
# The years 1900 to 2100: a time outside them is a slip of the pen.
_FIRST, _LAST = -2_208_988_800 * _SECOND_NS, 4_102_444_800 * _SECOND_NS

_WIDTH = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
_ORDER = "YmdHMS"
_ISO = "%Y-%m-%d %H:%M:%S"

Bad = dict[int, str]


class TimeReader:
    """Reads the times of one file, chunk after chunk; it remembers which of two equal hours it is in."""

    def __init__(self, file: FileMap) -> None:
        self._file = file
        self._zone = ZoneInfo(file.zone) if file.zone else None
        self._offsets: dict[int, tuple[int, int]] = {}
        self._last_local = _FIRST
        self._second_pass_until = _FIRST
        self._start = file.start_ns() if file.format == "seconds" else 0
        self._fast = _fixed(_ISO if file.format == "iso" else file.format)
        self._slow = _slow(file.format)

    def read(self, texts: Sequence[str]) -> tuple[I8, Bad]:
        """Return the time of each text in ns, and by row what is wrong with the ones that cannot be read."""
        if self._file.format in ("unix_s", "unix_ms", "seconds"):
            ns, bad = _numbers(texts, 1_000_000 if self._file.format == "unix_ms" else _SECOND_NS)
            ns += self._start
        else:
            local, known, bad = self._local(texts)
            ns, holes = self._to_utc(local, known, bad)
            bad |= holes
        for i in np.flatnonzero((ns < _FIRST) | (ns > _LAST)):
            bad.setdefault(int(i), f"time {texts[int(i)]!r} is outside the years 1900 to 2100")
        return ns, bad

    def _local(self, texts: Sequence[str]) -> tuple[I8, NDArray[np.bool_], Bad]:
        """Return times, which of them are UTC already, and the unreadable ones."""
        if self._fast is not None:
            ns = self._fast(texts)
            if ns is not None:
                return ns, np.zeros(len(texts), np.bool_), {}
        ns = np.zeros(len(texts), np.int64)
        known = np.zeros(len(texts), np.bool_)
        bad: Bad = {}
        for i, text in enumerate(texts):
            try:
                when = self._slow(text)
            except ValueError:
                bad[i] = f"time {text!r} is not {self._file.format}"
                continue
            known[i] = when.tzinfo is not None
            ns[i] = _ns_of(when - (_EPOCH if known[i] else _NAIVE_EPOCH))
        return ns, known, bad

    def _to_utc(self, local: I8, known: NDArray[np.bool_], bad: Bad) -> tuple[I8, Bad]:
        open_ = ~known
        open_[list(bad)] = False
        if self._zone is None:
            why = "the time has no offset, and the map names no zone"
            return local, {int(i): why for i in np.flatnonzero(open_)}
        if not len(local):
            return local, {}
        first, second = self._offsets_of(local)
        skipped = f"there was no such time in {self._file.zone}: the clocks were put forward"
        holes = {int(i): skipped for i in np.flatnonzero((first < second) & open_)}
        utc = local - first
        doubled = np.flatnonzero((first > second) & open_)
        if len(doubled):
            before = np.concatenate(([self._last_local], local[:-1]))
            for i in doubled:
                utc[i] += self._put_back(int(before[i]), int(local[i]), int(first[i] - second[i]))
        if len(local) and open_[-1]:
            self._last_local = int(local[-1])
        return np.where(known, local, utc), holes

    def _offsets_of(self, local: I8) -> tuple[I8, I8]:
        """Return the offsets before and after a change of the clocks, equal where there is none."""
        if len(self._offsets) > _REMEMBERED:
            self._offsets.clear()
        pairs = np.zeros((len(local), 2), np.int64)
        days = local // _DAY_NS
        begins = np.flatnonzero(np.diff(days, prepend=days[0] - 1))  # a day at a time, in the rows' own order
        of_day = [self._of_day(int(day)) for day in days[begins]]
        pairs[:] = np.repeat(of_day, np.diff(begins, append=len(days)))[:, None]
        changing = np.flatnonzero(pairs[:, 0] == _CHANGES)
        if len(changing):
            minutes, row = np.unique(local[changing] // _MINUTE_NS, return_inverse=True)
            pairs[changing] = np.array([self._offset(int(minute)) for minute in minutes], np.int64)[row]
        return pairs[:, 0], pairs[:, 1]

    def _of_day(self, day: int) -> int:
        """Return the offset of a whole local day, or that it changes within the day."""
        ends = {
            *self._offset(day * 1_440),
            *self._offset(day * 1_440 + 720),
            *self._offset((day + 1) * 1_440),
        }
        return ends.pop() if len(ends) == 1 else _CHANGES

    def _put_back(self, before: int, local: int, change: int) -> int:
        """Return ``change`` when a time of the doubled hour is its second coming, else 0."""
        if local < self._second_pass_until:
            return change
        if before - _BACK_NS >= local:
            end = local // _MINUTE_NS
            while (pair := self._offset(end))[0] > pair[1]:
                end += 1
            if before < end * _MINUTE_NS:
                self._second_pass_until = end * _MINUTE_NS
                return change
        return 0

    def _offset(self, minute: int) -> tuple[int, int]:
        """Return the offsets from UTC in ns that a local minute has before and after a change."""
        found = self._offsets.get(minute)
        if found is None:
            when = _NAIVE_EPOCH + timedelta(minutes=minute)
            early, late = (when.replace(tzinfo=self._zone, fold=fold).utcoffset() for fold in (0, 1))
            found = self._offsets[minute] = (_ns_of(early or timedelta()), _ns_of(late or timedelta()))
        return found


def _ns_of(delta: timedelta) -> int:
    return (delta.days * 86_400 + delta.seconds) * _SECOND_NS + delta.microseconds * 1_000


def _slow(form: str) -> Callable[[str], datetime]:
    if form == "iso":
        return datetime.fromisoformat
    return lambda text: datetime.strptime(text, form)  # noqa: DTZ007 - the zone is applied to all rows at once


def _numbers(texts: Sequence[str], unit_ns: int) -> tuple[I8, Bad]:
    """Read numbers of a unit exactly; a float of seconds since 1970 would lose the microseconds."""
    try:
        return np.array(list(map(int, texts)), np.int64) * unit_ns, {}
    except (ValueError, OverflowError):
        pass
    ns, bad = np.zeros(len(texts), np.int64), Bad()
    for i, text in enumerate(texts):
        try:
            ns[i] = int(Decimal(text) * unit_ns)
        except (InvalidOperation, ValueError, OverflowError):
            bad[i] = f"time {text!r} is not a number"
    return ns, bad


def _fixed(form: str) -> Callable[[Sequence[str]], I8 | None] | None:
    """Return a reader of whole columns when every part of the pattern has a fixed width, else None.

    The reader returns None when one text does not fit: then each is read by itself, to say which and why.
    """
    parts = re.findall(r"%(.)|([^%])", form)
    names = [name for name, _ in parts if name]
    if (
        any(n not in _WIDTH for n in names)
        or len(set(names)) != len(names)
        or not {"Y", "m", "d"} <= set(names)
    ):
        return None
    at: dict[str, int] = {}
    literals: list[tuple[int, int]] = []
    width = 0
    for name, literal in parts:
        if name:
            at[name] = width
            width += _WIDTH[name]
        else:
            literals.append((width, ord(literal)))
            width += 1
    return lambda texts: _read_fixed(texts, at, literals, width)


def _read_fixed(
    texts: Sequence[str], at: Mapping[str, int], literals: Sequence[tuple[int, int]], width: int
) -> I8 | None:
    if not texts or set(map(len, texts)) != {width}:
        return None
    try:
        raw = np.frombuffer("".join(texts).encode("ascii"), np.uint8).reshape(len(texts), width)
    except UnicodeEncodeError:
        return None
    if any((raw[:, i] != code).any() for i, code in literals):
        return None
    fields: dict[str, I8] = {}
    for name, i in at.items():
        digits = raw[:, i : i + _WIDTH[name]].astype(np.int64) - ord("0")
        if (digits < 0).any() or (digits > 9).any():
            return None
        fields[name] = digits @ (10 ** np.arange(_WIDTH[name] - 1, -1, -1))
    return _assemble(fields, len(texts))


def _assemble(fields: Mapping[str, I8], n: int) -> I8 | None:
    zero = np.zeros(n, np.int64)
    year, month, day, hour, minute, second = (fields.get(name, zero) for name in _ORDER)
    if (month < 1).any() or (month > 12).any() or (day < 1).any():
        return None
    if (hour > 23).any() or (minute > 59).any() or (second > 59).any():
        return None
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    if (days.astype("datetime64[M]") != months).any():  # the 30th of February
        return None
    seconds = days.astype(np.int64) * 86_400 + hour * 3_600 + minute * 60 + second
    return np.asarray(seconds * _SECOND_NS, np.int64)
