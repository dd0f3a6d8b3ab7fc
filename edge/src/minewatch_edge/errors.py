"""Every error the edge distribution raises on purpose, and who must act on it.

::

    EdgeError
    +-- WireError       the sender: what cannot be read, or may not be sent now
    +-- EdgeConfigError who wrote edge.toml or the call: names file, key, value and mend (exit 2)
    +-- DriverError     the installer: a sensor or its source does not answer; the agent goes on asking
    +-- SpoolError      who runs the gateway: a row cannot be read
        +-- SpoolUnavailable  the disk refuses for now (full, read-only, gone); the caller keeps its rows
        +-- SpoolInUse        another agent works on the same spool
"""

from __future__ import annotations


class EdgeError(Exception):
    """The root: one line for a person, no traceback needed."""


class WireError(EdgeError):
    """A topic, payload or reading that Sparkplug does not allow; the text names it and what is wrong."""


class EdgeConfigError(EdgeError):
    """A file, a key or an option is wrong.

    ``where`` names file and key, ``mend`` says what to write instead.
    """

    def __init__(self, what: str, *, where: str, mend: str) -> None:
        super().__init__(f"{where}: {what}. {mend}")
        self.what = what
        self.where = where
        self.mend = mend


class DriverError(EdgeError):
    """A sensor, or the source a driver reads, gives nothing that can be used.

    The text names the source (``host:port`` or a path) and what is wrong; ``mend`` says what to look at.
    """

    def __init__(self, what: str, *, mend: str = "") -> None:
        super().__init__(f"{what}. {mend}" if mend else what)
        self.what = what
        self.mend = mend


class DriverSilent(DriverError):
    """A device has not answered in the time its driver is given; its points have no signal."""


class SpoolError(EdgeError):
    """The spool cannot be used."""


class SpoolUnavailable(SpoolError):
    """The disk refuses for now; the same call may go through later."""


class SpoolInUse(SpoolError):
    """Another process works on the same spool."""
