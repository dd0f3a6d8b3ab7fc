"""Whether somebody listens at an address, found out in a thread of its own."""

from __future__ import annotations

import socket
import ssl
import threading

from minewatch_edge.sparkplug.mqtt import Tls

_TIMEOUT_S = 5.0


class Probe:
    """One try at a port; a name server or a dead link may hold it up, so it is asked again and again.

    With ``tls`` the handshake is tried too: one that stalls must not hold up the agent's loop. What is wrong
    with a certificate is left for the connection itself to say.
    """

    def __init__(
        self, host: str, port: int, tls: Tls | None = None, *, timeout_s: float = _TIMEOUT_S
    ) -> None:
        self.host, self.port = host, port
        self._tls, self._timeout_s = tls, timeout_s
        self._answer: str | None = None
        self._thread = threading.Thread(target=self._try, name="dial", daemon=True)
        self._thread.start()

    @property
    def answer(self) -> str | None:
        """Return "" when somebody listens, else why not; None while nobody knows."""
        return self._answer

    def _try(self) -> None:
        try:
            with socket.create_connection((self.host, self.port), timeout=self._timeout_s) as plain:
                self._shake_hands(plain)
        except (OSError, UnicodeError) as error:
            self._answer = str(error) or type(error).__name__
        else:
            self._answer = ""

    def _shake_hands(self, plain: socket.socket) -> None:
        if self._tls is None:
            return
        try:
            self._tls.context().wrap_socket(plain, server_hostname=self.host).close()
        except ssl.SSLError:
            return  # somebody answers
        except TimeoutError as error:
            raise OSError("it accepts connections, but does not answer the TLS handshake") from error
