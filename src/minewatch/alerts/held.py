"""What the journal holds already: a step that comes again after a restart changes nothing."""

from __future__ import annotations

from minewatch.alerts.activation import IGNORED
from minewatch.contracts import Alert, AlertEvent, RecordStore
from minewatch.errors import NotFound


class Held:
    """The journal as the alerts room asks it; without one (replay) nothing can come twice."""

    def __init__(self, records: RecordStore | None) -> None:
        self._records = records

    @property
    def kept(self) -> bool:
        """Whether there is a journal at all."""
        return self._records is not None

    def event(self, name: str) -> AlertEvent | None:
        """Return the row of this name, None where there is none."""
        return None if self._records is None else self._records.event_by_key(name)

    def repeats(self, name: str) -> bool:
        """Say whether a step stands in the journal already, and count it as left out if so."""
        if self.event(name) is None:
            return False
        IGNORED.labels("already in the journal").inc()
        return True

    def alert(self, identity: str) -> Alert:
        """Return an alert that is normal again. Raises NotFound."""
        if self._records is None:
            raise NotFound(f"there is no alert {identity}")
        return self._records.alert(identity)
