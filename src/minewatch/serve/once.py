"""Commands that a caller may repeat: the same ``Idempotency-Key`` carries out a command once.

The key of the journal row is derived from the caller's key, so the journal itself remembers, also after a
restart. What it does not hold (which ids a bulk command named) is kept in memory for the latest keys.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from minewatch.contracts import AlertEvent, Command, RecordStore
from minewatch.errors import CommandRefused
from minewatch.serve.core import Core
from minewatch.serve.problems import Problem

KEPT = 10_000
KINDS = {"acknowledge": "acknowledged", "comment": "commented"}


def event_key(caller_key: str | None, actor: str, alert: str = "") -> str:
    """Derive the key of a journal row, "" when the caller gave none.

    ``alert`` tells the rows of one bulk command apart.
    """
    if caller_key is None:
        return ""
    digest = hashlib.sha256("\0".join((caller_key, actor, alert)).encode()).hexdigest()
    return f"http:{digest[:32]}"


class Once:
    """Which command each of the latest keys stood for, and the locks of those under way."""

    def __init__(self) -> None:
        self._bodies: OrderedDict[str, str] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, key: str, body: str) -> AsyncIterator[None]:
        """Make a repeat wait for the first; "" is a command without a key.

        Raises Problem when the key stood for another command.
        """
        if not key:
            yield
            return
        lock = self._locks.setdefault(key, asyncio.Lock())
        async with lock:
            known = self._bodies.setdefault(key, body)
            if known != body:
                raise key_reused()
            if len(self._bodies) > KEPT:
                self._bodies.popitem(last=False)
            yield


def key_reused() -> Problem:
    """Return the refusal of a key that came with another command before."""
    return Problem(
        422,
        "key-reused",
        "this Idempotency-Key came with another command before: use a new key for a new command",
        path="header.idempotency-key",
    )


async def carry_out(command: Command, core: Core, records: RecordStore) -> AlertEvent:
    """Carry out a command, or return the row it left the first time; raises what Core.command raises."""
    if not command.key:
        return await core.command(command)
    before = await _before(command, records)
    if before is not None:
        return before
    try:
        return await core.command(command)
    except CommandRefused:
        # It may have been carried out while nobody heard the answer.
        before = await _before(command, records)
        if before is None:
            raise
        return before


async def _before(command: Command, records: RecordStore) -> AlertEvent | None:
    event = await asyncio.to_thread(records.event_by_key, command.key)
    if event is None:
        return None
    asked = (command.alert, KINDS[command.name], command.comment)
    if (event.alert.id, event.event.value, event.comment) != asked:
        raise key_reused()
    return event
