"""The cable that can be pulled, on real sockets."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from minewatch_sim.uplink import Uplink


@pytest.fixture
def broker() -> Iterator[int]:
    """Run a server that sends everything back; yield its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def echo(one: socket.socket) -> None:
        with one, suppress(OSError):
            while data := one.recv(4096):
                one.sendall(data)

    def accept() -> None:
        with suppress(OSError):
            while True:
                one, _ = listener.accept()
                threading.Thread(target=echo, args=(one,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture
def link(broker: int) -> Iterator[Uplink]:
    """Run an uplink to that server."""
    uplink = Uplink("gw", "127.0.0.1", broker)
    yield uplink
    uplink.close()


def connected(link: Uplink) -> socket.socket:
    """Connect through the uplink."""
    return socket.create_connection(("127.0.0.1", link.port), timeout=5)


def test_it_forwards_both_ways(link: Uplink) -> None:
    """What goes in comes out at the other side, and back."""
    with connected(link) as one:
        one.sendall(b"hello")
        assert one.recv(10) == b"hello"


def test_a_cut_ends_connections_and_refuses_new_ones(link: Uplink) -> None:
    """While it is cut nothing passes; afterwards it is as before."""
    with connected(link) as one:
        one.sendall(b"x")
        assert one.recv(1) == b"x"
        link.cut(True)
        with suppress(ConnectionError):
            assert one.recv(1) == b""
    with connected(link) as two, suppress(ConnectionError):
        two.sendall(b"y")
        assert two.recv(1) == b""
    link.cut(False)
    with connected(link) as three:
        three.sendall(b"z")
        assert three.recv(1) == b"z"


def test_a_dead_broker_is_a_closed_connection() -> None:
    """When the broker is not there the agent learns it from the connection."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    link = Uplink("gw", "127.0.0.1", port)
    with connected(link) as one, suppress(ConnectionError):
        assert one.recv(1) == b""
    link.close()
