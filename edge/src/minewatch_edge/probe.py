"""Whether somebody listens at an address, found out in a thread of its own."""

from __future__ import annotations

import socket
import threading

_TIMEOUT_S = 5.0


class Probe:
    """One try at a port; a name server or a dead link may hold it up, so it is asked again and again."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._answer: str | None = None
        self._thread = threading.Thread(target=self._try, name="dial", daemon=True)
        self._thread.start()

    @property
    def answer(self) -> str | None:
        """Return "" when somebody listens, else why not; None while nobody knows."""
        return self._answer

    def _try(self) -> None:
        try:
            socket.create_connection((self.host, self.port), timeout=_TIMEOUT_S).close()
        except (OSError, UnicodeError) as error:
            self._answer = str(error) or type(error).__name__
        else:
            self._answer = ""
