"""Readings from an OPC UA server, by subscription: every change with the source's own time and status."""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from minewatch_edge.drivers.ahead import ahead
from minewatch_edge.drivers.driver import CheckResult, Reading
from minewatch_edge.errors import DriverError, EdgeConfigError
from minewatch_edge.sparkplug.births import PointBirth
from minewatch_edge.sparkplug.codec import BAD, GOOD, UNCERTAIN
from minewatch_edge.spool import Reject
from minewatch_edge.tables import Table

if TYPE_CHECKING:
    from minewatch_edge.config import DeviceConfig
    from minewatch_edge.drivers.opcua_link import Link, Server

log = logging.getLogger(__name__)

DEVICE_KEYS = (
    "url", "security", "security_mode", "cert_file", "key_file", "server_cert_file", "username",
    "password_file", "password_env", "timeout_s", "sampling_s", "queue_size", "repeat",
)  # fmt: skip
POINT_KEYS = ("node", "scale", "offset")
SECURITY = ("None", "Basic256Sha256", "Aes128_Sha256_RsaOaep")
MODES = ("Sign", "SignAndEncrypt")

_WAITING = 50_000  # changes between two polls; beyond it the newest are refused and counted
_MISSING_AGAIN_NS = 30 * 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK_SET_NS = 946_684_800 * 1_000_000_000  # 2000: a source before that was never set
_OVERFLOW = 0x480  # Part 4, 7.39.1: InfoType DataValue and the bit Overflow
_NODE = re.compile(r"^(?:ns=\d+;|nsu=[^;]+;)?(?:i=\d+|[sgb]=.+)$")
_MODULE = "asyncua"


@dataclass(frozen=True, slots=True)
class Node:
    """Which node a point is, and how its number becomes the value in the unit."""

    node: str
    scale: float = 1.0
    offset: float = 0.0


@dataclass(slots=True)
class _Last:
    """What a point gave last: with which time, that of the source, and when it was given."""

    ts_ns: int = -1
    source_ns: int = -1
    value: float = math.nan
    quality: int = BAD
    given_ns: int = 0
    stated: bool = False


@dataclass(slots=True)
class _State:
    """What changes over the life of a driver."""

    link: Link | None = None
    waiting: deque[tuple[int, Any]] = field(default_factory=deque)
    refused: int = 0
    missing: dict[int, str] = field(default_factory=dict)
    missing_again_ns: int = 0
    due_ns: int | None = None


class OpcuaDriver:
    """One server. It is subscribed to, so nothing that changes between two polls is missed."""

    def __init__(
        self,
        points: Sequence[PointBirth],
        nodes: Sequence[Node],
        server: Server,
        refuse: Callable[[Reject], None],
        *,
        repeat: bool = True,
    ) -> None:
        self._points = tuple(points)
        self._nodes = tuple(nodes)
        self._server = server
        self._refuse = refuse
        self._repeat = repeat
        self._step_ns = int(server.publish_s * 1e9)
        self._last = [_Last() for _ in points]
        self._told: set[int] = set()
        self._now = _State()

    def points(self) -> Sequence[PointBirth]:
        """Return the points of the nodes."""
        return self._points

    def due_ns(self, now_ns: int) -> int:
        """Return when what has come is fetched next; at once for the first time."""
        return now_ns if self._now.due_ns is None else self._now.due_ns

    def poll(self, now_ns: int) -> Sequence[Reading]:
        """Return what changed since, and points without a change once an interval while the server is there.

        Raises DriverError when the connection is lost or cannot be made.
        """
        state = self._now
        found: list[Reading] = []
        if state.due_ns is not None and now_ns < state.due_ns:
            return found
        link = state.link
        if link is None:
            link = self._connect(now_ns)
            found += [self._give(i, now_ns, math.nan, BAD, now_ns) for i in sorted(state.missing)]
        elif state.missing and now_ns >= state.missing_again_ns:
            self._subscribe(link, sorted(state.missing), now_ns)
        lost = link.lost  # before the queue: what came before the loss is delivered
        found += self._drain(now_ns)
        if lost:
            if found:
                return found
            self._drop()
            raise DriverError(
                f"{self._server.where}: {lost}", mend="Look at the server and the network; it is tried again"
            )
        if self._repeat:
            found += self._unchanged(now_ns)
        due_ns = now_ns if state.due_ns is None else state.due_ns
        state.due_ns = due_ns + self._step_ns * ((now_ns - due_ns) // self._step_ns + 1)
        return found

    def check(self, now_ns: int) -> Sequence[CheckResult]:
        """Read each node once over a connection of its own and say what it holds."""
        from minewatch_edge.drivers.opcua_link import Link

        link = Link(self._server)
        try:
            link.connect()
            answers = link.read([(i, n.node) for i, n in enumerate(self._nodes)])
        except DriverError as error:
            answers = dict.fromkeys(range(len(self._points)), str(error))
        finally:
            link.close()
        return [self._words(i, answers[i], now_ns) for i in range(len(self._points))]

    def close(self) -> None:
        """End the connection and its threads."""
        self._drop()

    def _connect(self, now_ns: int) -> Link:
        """Connect and subscribe anew; which nodes are not there stands in ``missing``."""
        from minewatch_edge.drivers.opcua_link import Link

        link = Link(self._server)
        try:
            link.connect()
            self._now.link = link
            self._now.missing = {}
            self._subscribe(link, range(len(self._points)), now_ns)
        except BaseException:
            self._now.link = None
            link.close()
            raise
        return link

    def _subscribe(self, link: Link, indices: Sequence[int], now_ns: int) -> None:
        state = self._now
        faults = link.subscribe([(i, self._nodes[i].node) for i in indices], self._take)
        for index in indices:
            birth, fault = self._points[index], faults.get(index)
            if fault and index not in self._told:
                self._told.add(index)
                log.warning("%s/%s: node %s: %s", birth.device, birth.metric, self._nodes[index].node, fault)
            elif not fault and index in self._told:
                self._told.discard(index)
                log.warning("%s/%s is there again", birth.device, birth.metric)
        state.missing = {i: t for i, t in state.missing.items() if i not in indices} | faults
        state.missing_again_ns = now_ns + _MISSING_AGAIN_NS

    def _take(self, index: int, data: Any) -> None:
        """Take a change, in the thread of the connection."""
        if len(self._now.waiting) < _WAITING:
            self._now.waiting.append((index, data))
        else:
            self._now.refused += 1

    def _drain(self, now_ns: int) -> list[Reading]:
        state = self._now
        if state.refused:
            text = f"{state.refused} changes came faster than they were fetched"
            state.refused = 0
            self._refuse(Reject(now_ns, self._points[0].device, "overflow", text))
        found = []
        for _ in range(len(state.waiting)):
            index, data = state.waiting.popleft()
            value, quality, ts_ns = self._reading(index, data, now_ns)
            if data.StatusCode is not None and data.StatusCode.value & _OVERFLOW == _OVERFLOW:
                text = f"{self._points[index].metric}: the server dropped changes; raise queue_size"
                self._refuse(Reject(now_ns, self._points[index].device, "overflow", text))
            last = self._last[index]
            same = value == last.value or (math.isnan(value) and math.isnan(last.value))
            if last.stated and ts_ns == last.source_ns and same and quality == last.quality:
                continue  # a new subscription begins with what the old one ended with
            found.append(self._give(index, ts_ns, value, quality, now_ns))
        return found

    def _give(self, index: int, ts_ns: int, value: float, quality: int, now_ns: int) -> Reading:
        self._last[index] = _Last(ts_ns, ts_ns, value, quality, now_ns, stated=True)
        return Reading(index, ts_ns, value, quality)

    def _unchanged(self, now_ns: int) -> list[Reading]:
        """Return the last value of points that had no change for their interval.

        The subscription lives, so the server states that it still holds; what may be on its way is left out.
        """
        known_ns = now_ns - 2 * self._step_ns
        found = []
        for index, (birth, last) in enumerate(zip(self._points, self._last, strict=True)):
            step_ns = max(int(birth.interval_s * 1e9), self._step_ns)
            if last.stated and now_ns - last.given_ns >= step_ns and known_ns > last.ts_ns:
                last.given_ns, last.ts_ns = now_ns, known_ns
                found.append(Reading(index, known_ns, last.value, last.quality))
        return found

    def _reading(self, index: int, data: Any, now_ns: int) -> tuple[float, int, int]:
        """Return value, quality and time of a DataValue; NaN and bad where there is no number."""
        node, birth = self._nodes[index], self._points[index]
        ts_ns = _ns(data.SourceTimestamp, now_ns) or _ns(data.ServerTimestamp, now_ns) or now_ns
        severity = data.StatusCode.value >> 30 if data.StatusCode is not None else 0
        raw = data.Value.Value if data.Value is not None else None
        if severity >= 2 or not isinstance(raw, (bool, int, float)):
            return math.nan, BAD, ts_ns
        value = float(raw) * node.scale + node.offset
        sentinel = any(math.isclose(value, s, rel_tol=1e-9, abs_tol=1e-12) for s in birth.sentinels)
        if sentinel or not math.isfinite(value):
            return math.nan, BAD, ts_ns
        return value, UNCERTAIN if severity == 1 else GOOD, ts_ns

    def _words(self, index: int, data: Any, now_ns: int) -> CheckResult:
        birth, node = self._points[index], self._nodes[index].node
        place = f"{birth.device}/{birth.metric}"
        if isinstance(data, str):
            return CheckResult(place, False, data)
        value, quality, _ = self._reading(index, data, now_ns)
        if quality == BAD:
            return CheckResult(place, False, f"{node}: {self._why_bad(data)}")
        text = f"{value:g} {birth.unit} ({node})"
        if quality == UNCERTAIN:
            return CheckResult(place, False, f"{text}, the server says {data.StatusCode.name}")
        if not birth.low <= value <= birth.high:
            return CheckResult(place, False, f"{text}, outside {birth.low:g} to {birth.high:g}: mend scale")
        return CheckResult(place, True, text)

    @staticmethod
    def _why_bad(data: Any) -> str:
        from minewatch_edge.drivers.opcua_link import status_words

        if data.StatusCode is not None and data.StatusCode.value >> 31:
            return status_words(data.StatusCode)
        raw = data.Value.Value if data.Value is not None else None
        if raw is None:
            return "the server has no value (null)"
        if isinstance(raw, (bool, int, float)):
            return f"{raw!r} means that it has no value (sentinel, NaN or infinite)"
        return f"it holds a {type(raw).__name__}, no number. Name another node"

    def _drop(self) -> None:
        link, self._now.link = self._now.link, None
        if link is not None:
            link.close()


def _ns(when: datetime | None, now_ns: int) -> int:
    """Return nanoseconds since 1970; 0 where no time was set, or one that cannot be."""
    if when is None:
        return 0
    gone = (when if when.tzinfo else when.replace(tzinfo=UTC)) - _EPOCH
    ns = ((gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds) * 1_000
    return ns if ns > _CLOCK_SET_NS and not ahead(ns, now_ns) else 0


def make(device: DeviceConfig, folder: Path, refuse: Callable[[Reject], None]) -> OpcuaDriver:
    """Make the driver of a device from its tables.

    Raises EdgeConfigError for a wrong option, a file that is not there, or without asyncua.
    """
    table = device.options
    url = table.text("url")
    where = _where(table, url)
    security = table.text("security", "None", choices=SECURITY)
    files = {key: _file(table, key, folder) for key in ("cert_file", "key_file", "server_cert_file")}
    _refuse_mismatch(table, security, files)
    username, password = table.text("username", ""), _password(table, folder)
    options = {
        "mode": table.text("security_mode", "SignAndEncrypt", choices=MODES),
        "timeout_s": table.number("timeout_s", 4.0, least=0.1, most=60),
        "sampling_s": table.number("sampling_s", device.interval_s, least=0, most=86_400),
        "queue_size": table.whole("queue_size", 10, least=1, most=100_000),
    }
    repeat = table.flag("repeat", True)
    nodes = [_node(point.options) for point in device.points]
    if importlib.util.find_spec(_MODULE) is None:
        raise EdgeConfigError(
            "the driver 'opcua' needs the library asyncua, which is not installed",
            where=table.where("driver"),
            mend="Install it with: pip install 'minewatch-edge[opcua]'",
        )
    from minewatch_edge.drivers.opcua_link import Server

    server = Server(
        url, where, security, username=username, password=password, publish_s=device.interval_s,
        **files, **options,  # type: ignore[arg-type]  # each key has its own type
    )  # fmt: skip
    return OpcuaDriver([p.birth for p in device.points], nodes, server, refuse, repeat=repeat)


def _where(table: Table, url: str) -> str:
    """Return ``host:port`` of a url."""
    mend = 'Write it as "opc.tcp://host:4840/path", the user and password in keys of their own'
    try:
        parts = urlsplit(url)
        port = parts.port or 4840
    except ValueError as error:
        raise table.error("url", f"{url!r} is no address", mend) from error
    if parts.username or parts.password:
        raise table.error("url", "it holds a user name or a password", mend)
    if parts.scheme != "opc.tcp" or not parts.hostname:
        raise table.error("url", f"{url!r} is no address", mend)
    return f"{parts.hostname}:{port}"


def _file(table: Table, key: str, folder: Path) -> Path | None:
    name = table.text(key, "")
    if not name:
        return None
    path = folder / name
    try:
        path.read_bytes()
    except OSError as error:
        raise table.error(
            key, f"{str(path)!r} cannot be read: {error.strerror}", "Name a file that the agent may read"
        ) from error
    return path


def _refuse_mismatch(table: Table, security: str, files: dict[str, Path | None]) -> None:
    for key, path in files.items():
        if security != "None" and path is None:
            raise table.error(key, f"security = {security!r} needs it", f"Add {key}, a PEM or DER file")
        if security == "None" and path is not None:
            raise table.error(
                key, "security is None, so it is not used", f"Use one of: {', '.join(SECURITY)}"
            )


def _password(table: Table, folder: Path) -> str:
    path, variable = _file(table, "password_file", folder), table.text("password_env", "")
    if path is not None and variable:
        raise table.error("password_env", "there is a password_file too", "Keep one of the two")
    if (path is not None or variable) and not table.text("username", ""):
        raise table.error("username", "there is a password, but no user", "Add username")
    if path is not None:
        return path.read_text(encoding="utf-8").strip()
    if variable and variable not in os.environ:
        raise table.error("password_env", f"the variable {variable!r} is not set", "Set it for the agent")
    return os.environ.get(variable, "") if variable else ""


def _node(table: Table) -> Node:
    node = table.text("node")
    if not _NODE.match(node):
        raise table.error(
            "node",
            f"{node!r} is no node id",
            'Write it as "ns=2;s=Gas.CH4", "ns=2;i=1001" or "nsu=URI;s=..."',
        )
    return Node(node, table.number("scale", 1.0), table.number("offset", 0.0))
