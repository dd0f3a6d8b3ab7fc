"""What goes out of the agent, in which order: live rows at once, then notes, then the rest of the history."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from minewatch_edge.clocks import Moment
from minewatch_edge.declared import Declared
from minewatch_edge.delivery import Delivery
from minewatch_edge.errors import WireError
from minewatch_edge.link import Link
from minewatch_edge.rows import Columns, NewRow, Row
from minewatch_edge.sparkplug.actions import EdgeAction, Publish
from minewatch_edge.sparkplug.edge_session import EdgeSession
from minewatch_edge.spool import Spool
from minewatch_edge.transport import Transport

log = logging.getLogger(__name__)

_NOTES_AT_ONCE = 100
_MS = 1_000_000


class Outgoing:
    """Sends rows of the spool over one connection; ``uncounted`` are readings sent and not yet counted."""

    def __init__(self, spool: Spool) -> None:
        self.uncounted = 0
        self.link = Link()
        self._spool = spool
        self._transport: Transport
        self._delivery: Delivery
        self._session: EdgeSession
        self._declared: Declared

    def use(self, session: EdgeSession, declared: Declared, transport: Transport, delivery: Delivery) -> None:
        """Speak for this session and what it declares from now on, over this connection."""
        self._session, self._declared = session, declared
        self._transport, self._delivery = transport, delivery

    def live(self, row_id: int, row: NewRow, moment: Moment) -> None:
        """Send a row that was committed just now; what does not go is history at the next session."""
        if not self._session.born:
            if not row.note:
                self._session.observe(row.device, self._declared.readings(row.columns))
        elif self._send_row(Row(row_id, row.device, row.columns, row.note), moment, historical=False):
            self._delivery.live(row_id)

    def unnumbered(self, row: NewRow, moment: Moment) -> bool:
        """Show a row that the disk has refused, without an id; False when the connection does not take it.

        A note could not be known as a repeat without one: it waits for the disk.
        """
        return bool(row.note) or self._send(None, row.device, row.columns, moment, historical=False)

    def history(self, moment: Moment) -> None:
        """Send what the delivery allows of the history; raises SpoolUnavailable."""
        delivery = self._delivery
        self.link.observe(moment.mono_ns, *self._transport.load())
        if not self._session.born or not self._notes(moment) or self.link.room() <= 0:
            return
        rows, readings = delivery.allowance(moment.mono_ns)
        if rows <= 0:
            return
        held = self._spool.unacknowledged(delivery.cursor, rows, upto=delivery.history_end)
        if not held:
            delivery.cursor = delivery.history_end
        for row in held:
            if row.note and row.id <= delivery.notes_cursor:
                delivery.history(row.id, 0)  # it went before
            elif readings > 0 and self.link.room() > 0 and self._send_row(row, moment, historical=True):
                delivery.history(row.id, len(row.columns.points))
                readings -= len(row.columns.points)
            else:
                break

    def bury(self, silent: Iterable[str], moment: Moment) -> None:
        """Say the DDEATH of each device that does not answer, once its rows so far are out."""
        if self._delivery.cursor < self._delivery.history_end:
            return
        for device in silent:
            if self._session.online(device):
                log.warning("%s is dead to the host until it answers", device)
                self.publish(self._session.device_death(device, moment.wall_ns // _MS))

    def publish(self, actions: Iterable[EdgeAction]) -> None:
        """Hand over the messages among the actions."""
        for action in actions:
            if isinstance(action, Publish):
                self._transport.publish(action)

    def _notes(self, moment: Moment) -> bool:
        """Send the notes of the history; False when some are still to go out."""
        delivery = self._delivery
        if not delivery.notes_due:
            return True
        held = self._spool.notes(delivery.notes_cursor, _NOTES_AT_ONCE, upto=delivery.notes_end)
        for row in held:
            if not self._send_row(row, moment, historical=True):
                return False
            delivery.notes_cursor = row.id
        if len(held) == _NOTES_AT_ONCE:
            return False
        delivery.notes_cursor = delivery.notes_end
        return True

    def _send_row(self, row: Row, moment: Moment, *, historical: bool) -> bool:
        if not row.note:
            return self._send(row.id, row.device, row.columns, moment, historical=historical)
        if not self._transport.connected:
            return False
        now_ms = moment.wall_ns // _MS
        return self._transport.publish(self._session.note(row.note, row.id, now_ms, historical=historical))

    def _send(
        self, row_id: int | None, device: str, columns: Columns, moment: Moment, *, historical: bool
    ) -> bool:
        """Publish readings; False when the connection does not take them."""
        if not self._transport.connected:
            return False
        device = self._declared.device(columns, device)
        now_ms = moment.wall_ns // _MS
        if not self._session.online(device):
            # It answers again, or rows from before it died must be sent again.
            self.publish(self._session.device_birth(device, now_ms))
        try:
            message = self._session.data(
                device, self._declared.readings(columns), row_id, now_ms,
                historical=historical, clock=columns.clock,
            )  # fmt: skip
        except WireError as error:
            # Not one row may hold up all that come after it: its id goes out without the readings.
            log.error("a row of %s cannot be sent: %s", device, error)
            message = self._session.data(device, (), row_id, now_ms, historical=historical)
        if not self._transport.publish(message):
            return False
        if historical:
            self.link.spend(len(message.payload) + len(message.topic))
        self.uncounted += len(columns.points)
        return True
