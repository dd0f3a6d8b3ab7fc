"""Every error minewatch raises on purpose, and who must act on it.

::

    MinewatchError
    +-- ConfigError        the person who wrote a file or a call: names file, key, value and mend (exit 2)
    |   +-- RuleError      a rule or limit file
    |   +-- MapError       the map of a recording
    |   +-- ModelError     the file of a trained model
    +-- StoreError         the person who runs the machine: disk, database, server
    |   +-- StoreBusy      nobody yet: the same call may go through later
    +-- WireError          the sender: a payload, topic or frame that cannot be read
    +-- CommandRefused     the operator: the state of the alert forbids it (HTTP 409)
    +-- NotFound           the caller: no such alert, point, gateway (HTTP 404)
    +-- CoreUnavailable    nobody yet: the core process is restarting (HTTP 503)
"""

from __future__ import annotations


class MinewatchError(Exception):
    """The root: one line for a person, no traceback needed."""


class ConfigError(MinewatchError):
    """A file, a key or an option is wrong.

    ``where`` names file and key or line, ``mend`` says what to write instead.
    """

    def __init__(self, what: str, *, where: str, mend: str) -> None:
        super().__init__(f"{where}: {what}. {mend}")
        self.what = what
        self.where = where
        self.mend = mend


class RuleError(ConfigError):
    """A rule pack cannot be used."""


class MapError(ConfigError):
    """The map of a recording does not fit the recording."""


class ModelError(ConfigError):
    """A trained model cannot be used: altered, damaged, of another version, or not for these sensors."""


class StoreError(MinewatchError):
    """A store refused, and will refuse again until somebody acts."""


class StoreBusy(StoreError):
    """A store refused for now; the caller keeps its data and tries again."""


class WireError(MinewatchError):
    """Bytes from outside that cannot be read; they are counted, never fatal."""


class CommandRefused(MinewatchError):
    """The state of an alert forbids a command; ``state`` names that state."""

    def __init__(self, message: str, *, state: str) -> None:
        super().__init__(message)
        self.state = state


class NotFound(MinewatchError):
    """There is no such thing."""


class CoreUnavailable(MinewatchError):
    """The core process does not answer; alerts and journal can still be read."""
