"""A TCP link that a test can make swallow everything, as a dead radio does: no reset, no end, no answer."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading

from servers.process import free_port


class Link:
    """Forwards a loopback port to another one in a thread of its own, while ``up``.

    While it is down both ends keep their connections and hear nothing: bytes are read and thrown away.
    """

    def __init__(self, target: int) -> None:
        self.port = free_port()
        self.up = True
        self._target = target
        self._stop = False
        self._selector = selectors.DefaultSelector()
        self._peer: dict[socket.socket, socket.socket] = {}
        self._doomed: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and every connection."""
        self._stop = True
        self._thread.join(5)
        for end in [self._listener, *self._peer]:
            end.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._stop:
            for key, _ in self._selector.select(0.1):
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._forward(key.fileobj)  # type: ignore[arg-type]  # only sockets are registered

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self._target), timeout=2)
        except OSError:
            near.close()
            return
        for one, other in ((near, far), (far, near)):
            one.settimeout(2)
            self._peer[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _forward(self, end: socket.socket) -> None:
        if end not in self._peer:
            return
        try:
            block = end.recv(65_536)
        except OSError:
            block = b""
        if not self.up:
            # What came over a dead link is gone for good: its connection may never be used again.
            self._doomed |= {end, self._peer[end]}
            if not block:
                self._selector.unregister(end)
            return
        try:
            if block and end not in self._doomed:
                self._peer[end].sendall(block)
                return
        except OSError:
            pass
        self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        for one in (end, self._peer[end]):
            self._peer.pop(one, None)
            self._doomed.discard(one)
            with contextlib.suppress(KeyError):
                self._selector.unregister(one)
            one.close()
