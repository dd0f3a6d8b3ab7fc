"""The probe of a broker's port, in front of real sockets."""

from __future__ import annotations

import contextlib
import socket
import threading

from minewatch_edge.probe import Probe
from minewatch_edge.sparkplug.mqtt import Tls


def answer_of(probe: Probe) -> str | None:
    """Return what the probe found out, once its thread has ended."""
    probe._thread.join(20)
    return probe.answer


def test_a_port_where_somebody_listens() -> None:
    """An open port is answered with nothing, a closed one with the reason."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert answer_of(Probe("127.0.0.1", port)) == ""
    assert "refused" in str(answer_of(Probe("127.0.0.1", port)))


def test_a_handshake_that_stalls_is_found_out_in_the_probe() -> None:
    """A port that accepts and never speaks TLS is said, so that the agent's loop does not wait for it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        probe = Probe("127.0.0.1", server.getsockname()[1], Tls(), timeout_s=0.3)
        assert "does not answer the TLS handshake" in str(answer_of(probe))


def test_a_wrong_handshake_is_left_to_the_connection() -> None:
    """A peer that answers something else than TLS is somebody: the connection says what is wrong."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            peer, _ = server.accept()
            peer.recv(1024)
            peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            with contextlib.suppress(OSError), peer:
                peer.recv(1024)

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        assert answer_of(Probe("127.0.0.1", server.getsockname()[1], Tls(), timeout_s=5)) == ""
        thread.join(5)
