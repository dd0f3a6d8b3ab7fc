"""A cable that can be pulled: forwards TCP between an agent and the broker until it is cut."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import suppress

log = logging.getLogger(__name__)

_CONNECT_S = 5.0
_CHUNK = 65_536


class Uplink:
    """Listens on a free loopback port and forwards to the broker; a cut closes and refuses connections."""

    def __init__(self, name: str, host: str, port: int) -> None:
        self._name = name
        self._target = (host, port)
        self._cut = False
        self._closed = False
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name=f"uplink {name}", daemon=True).start()

    def cut(self, is_cut: bool) -> None:
        """Pull the cable or put it back; the same again changes nothing."""
        with self._lock:
            if is_cut == self._cut:
                return
            self._cut = is_cut
        log.warning("%s: the uplink is %s", self._name, "cut" if is_cut else "back")
        if is_cut:
            self._drop_all()

    def close(self) -> None:
        """End for good."""
        self._closed = True
        # A thread that waits in accept() is only woken by the shutdown.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._drop_all()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        if self._cut:
            near.close()
            return
        try:
            far = socket.create_connection(self._target, timeout=_CONNECT_S)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        for one in (near, far):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open |= {near, far}
        back = threading.Thread(target=self._pump, args=(far, near), daemon=True)
        back.start()
        self._pump(near, far)
        back.join()
        with self._lock:
            self._open -= {near, far}
        near.close()
        far.close()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _drop_all(self) -> None:
        with self._lock:
            doomed = list(self._open)
        for one in doomed:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
