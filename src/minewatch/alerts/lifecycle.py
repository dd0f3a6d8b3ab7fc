"""The life of an alert as a pure function (ISA-18.2 / IEC 62682, states A to D).

::

    normal --raise--> unacknowledged --acknowledge--> acknowledged --clear--> normal
                        |        ^
                      clear    raise
                        v        |
                  returned-unacknowledged --acknowledge--> normal

Nothing acknowledges but a person; a condition that goes away never hides an alert nobody has seen.
"""

from __future__ import annotations

from enum import StrEnum

from minewatch.contracts import AlertState
from minewatch.errors import CommandRefused

NORMAL, UNACKNOWLEDGED = AlertState.NORMAL, AlertState.UNACKNOWLEDGED
ACKNOWLEDGED, RETURNED = AlertState.ACKNOWLEDGED, AlertState.RETURNED


class Step(StrEnum):
    """What can happen to an alert."""

    RAISE = "raise"
    CLEAR = "clear"
    ACKNOWLEDGE = "acknowledge"


_NEXT = {
    (NORMAL, Step.RAISE): UNACKNOWLEDGED,
    (RETURNED, Step.RAISE): UNACKNOWLEDGED,
    (UNACKNOWLEDGED, Step.CLEAR): RETURNED,
    (ACKNOWLEDGED, Step.CLEAR): NORMAL,
    (UNACKNOWLEDGED, Step.ACKNOWLEDGE): ACKNOWLEDGED,
    (RETURNED, Step.ACKNOWLEDGE): NORMAL,
}


def after(state: AlertState, step: Step) -> AlertState:
    """Return the state after a step; a condition that is already so changes nothing.

    Raises CommandRefused when a person acknowledges what is acknowledged or over.
    """
    following = _NEXT.get((state, step))
    if following is not None:
        return following
    if step is Step.ACKNOWLEDGE:
        raise CommandRefused(
            f"the alert is {state.value}: there is nothing to acknowledge", state=state.value
        )
    return state
