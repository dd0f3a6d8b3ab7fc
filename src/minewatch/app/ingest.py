"""The ingest process: MQTT in, packed columns to the core, acknowledgements back.

It holds nothing that births do not rebuild. While the core is away it leaves the broker (its STATE goes
offline), so that gateways keep their readings in their spools instead of sending them to nobody.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

import structlog
from prometheus_client import REGISTRY, generate_latest

from minewatch.app.clock import SystemClock
from minewatch.app.link import Link, pack, pack_readings, read
from minewatch.app.rejects import of_intake
from minewatch.config import Config
from minewatch.contracts import Watermark
from minewatch.errors import WireError
from minewatch.ingest.source import Intake, MqttSource, warm_up

log = structlog.get_logger(__name__)


def run_ingest(config: Config, stop: Callable[[], bool], ready: Callable[[], None]) -> None:
    """Run the ingest process: as long as the core is there, hand over what the broker brings."""
    warm_up()
    told = False
    while not stop():
        link = _connect(config)
        if link is None:
            time.sleep(0.1)
            continue
        if not told:
            ready()
            told = True
        try:
            _hand_over(config, link, stop)
        except (OSError, EOFError, WireError) as error:
            log.warning("core is gone; gateways keep their readings until it is back", reason=str(error))
        finally:
            link.close()


def _connect(config: Config) -> Link | None:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(str(config.socket))
    except OSError:
        sock.close()
        return None
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * 1024 * 1024)
    link = Link(sock)
    link.send(pack("hello", {"role": "ingest"}))
    return link


def _hand_over(config: Config, link: Link, stop: Callable[[], bool]) -> None:
    clock = SystemClock()
    source = MqttSource(config.ingest, clock)
    next_status = 0.0
    try:
        while not stop():
            room = bool(select.select([], [link.socket], [], 0)[1])
            intake = source.poll(0.05 if room else 0.005, link.socket, room=room)
            if intake is not None:
                link.send(pack_intake(intake, clock.now_ns()))
            for frame in link.receive():
                if frame.kind == "ack":
                    source.acknowledge([read(Watermark, mark) for mark in frame.body])
            if room and time.monotonic() >= next_status:
                next_status = time.monotonic() + 1.0
                link.send(
                    pack("status", {"part": "broker", "problem": source.problem, "metrics": _metrics()})
                )
        link.send(pack("bye"))
    finally:
        source.close()


def pack_intake(intake: Intake, now_ns: int) -> bytes:
    """Return what a poll brought as a frame."""
    body = {
        "points": intake.points,
        "spools": intake.spools,
        "gateways": intake.gateways,
        "rejects": of_intake(intake, now_ns),
        "rows": len(intake.batch),
        "notes": intake.notes,
        "messages": len(intake.deliveries.msg_id),
    }
    return pack("intake", body, pack_readings(intake.batch, intake.deliveries))


def _metrics() -> str:
    """Return this process's own counters; Python's and the process's own ones are the serve process's."""
    text = generate_latest(REGISTRY).decode()
    return "\n".join(line for line in text.splitlines() if "minewatch_" in line) + "\n"
