"""What the list of alerts means: which alerts a query selects, in which order, and where a page goes on.

The live list has the most urgent first, then the newest; history has the newest first.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from minewatch.contracts import Alert, AlertQuery, AlertState
from minewatch.errors import ConfigError

OPEN_STATES = tuple(state for state in AlertState if state is not AlertState.NORMAL)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last alert of a page; ``priority`` counts only in the live list."""

    priority: int
    raised_ns: int
    id: str

    def write(self) -> str:
        """Return the cursor as an opaque text."""
        raw = json.dumps([self.priority, self.raised_ns, self.id], separators=(",", ":"))
        return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")

    @staticmethod
    def read(text: str) -> Cursor:
        """Return the cursor a text holds. Raises ConfigError."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            priority, raised_ns, identity = json.loads(raw)
            if type(priority) is int and type(raised_ns) is int and isinstance(identity, str):
                return Cursor(priority, raised_ns, identity)
        except (ValueError, TypeError, binascii.Error):
            pass
        raise ConfigError(
            "this is no cursor of ours", where="cursor", mend="Use the value of `next` as it came, or none."
        )


def states_of(query: AlertQuery) -> tuple[AlertState, ...]:
    """Return the states a query selects; all of them for history without a choice."""
    return query.states or (tuple(AlertState) if query.history else OPEN_STATES)


def cursor_after(alert: Alert) -> str:
    """Return where a page that ends with this alert goes on."""
    return Cursor(alert.priority, alert.raised_ns, alert.id).write()


def searchable(alert: Alert) -> str:
    """Return the text a search looks into: names, messages and reasons in three languages, case folded."""
    said = (alert.message, alert.why, alert.now)
    words = [alert.id, alert.rule, alert.place, alert.zone, alert.quantity, alert.acknowledged_by]
    words += [text for each in said for text in (each.kk, each.ru, each.en)]
    return "\n".join(words).casefold()


def selects(query: AlertQuery, alert: Alert) -> bool:
    """Say whether a query selects an alert; a zone or a place also selects what lies within it."""
    return (
        alert.state in states_of(query)
        and (not query.priorities or alert.priority in query.priorities)
        and (not query.rule or alert.rule == query.rule)
        and within(query.zone, alert.zone)
        and within(query.place, alert.place)
        and (not query.from_ns or alert.raised_ns >= query.from_ns)
        and (not query.to_ns or alert.raised_ns < query.to_ns)
        and (not query.text or query.text.casefold() in searchable(alert))
    )


def within(outer: str, inner: str) -> bool:
    """Say whether a path is another or lies within it; the empty path holds everything."""
    return not outer or inner == outer or inner.startswith(f"{outer}/")


def order_of(query: AlertQuery, alert: Alert | Cursor) -> tuple[int, int, str]:
    """Return what a list is sorted by."""
    return (0 if query.history else alert.priority, -alert.raised_ns, alert.id)
