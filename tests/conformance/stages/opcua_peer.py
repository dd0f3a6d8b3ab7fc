"""Asyncua's own server on a loopback port, with variables that a test sets."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from cryptography.hazmat.primitives.serialization import Encoding

from minewatch_edge.runtime import moment
from servers import free_port

from .stage import Deaf, LoopThread

URI = "urn:minewatch:test"
NODES = "urn:minewatch:nodes"
_NOTHING = ua.DataValue(
    ua.Variant(None, ua.VariantType.Null), ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData)
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True)
class Secured:
    """The server's own certificate and key, the only client it trusts, and the only user it takes."""

    cert_file: Path
    key_file: Path
    client_cert_file: Path
    policies: tuple[ua.SecurityPolicyType, ...]
    password: str = ""


class OneUser:
    """Takes the user ``minewatch`` with one password."""

    def __init__(self, password: str) -> None:
        self._password = password

    def get_user(
        self, _server: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        if not self._password or (username == "minewatch" and password == self._password):
            return User(role=UserRole.User)
        return None


class OpcuaPeer:
    """Variables ``ns=2;s=NAME``; what was set is there again after a restart."""

    def __init__(self, names: tuple[str, ...] = ("a", "b"), secured: Secured | None = None) -> None:
        self.port = free_port()
        self.names = list(names)
        self._secured = secured
        self._held: dict[str, ua.DataValue] = {}
        self._thread: LoopThread | None = None
        self._server: Server | None = None
        self._deaf: Deaf | None = None
        self._frozen = threading.Event()

    @property
    def url(self) -> str:
        """Return its address."""
        return f"opc.tcp://127.0.0.1:{self.port}/mine"

    def start(self) -> None:
        """Serve, with the values it had."""
        self._thread = LoopThread()
        self._server = self._thread.run(self._serve())

    def set(
        self, name: str, value: object, ts_ns: int | None = None, *, status: int = 0, kind: Any = None
    ) -> None:
        """Write a value with its source time and status."""
        when = _EPOCH + timedelta(microseconds=(ts_ns or moment().wall_ns) // 1000)
        variant = ua.Variant(value, kind) if kind is not None else ua.Variant(value)
        data = ua.DataValue(variant, StatusCode=ua.StatusCode(status), SourceTimestamp=when)
        self._held[name] = data
        if self._server is not None and self._thread is not None:
            self._thread.run(self._write(self._server, name, data))

    def stop(self) -> None:
        """End every connection and close the port."""
        if self._deaf is not None:
            self._deaf.close()
            self._deaf = None
        if self._server is not None and self._thread is not None:
            self._thread.run(self._server.stop())
            self._thread.close()
        self._server = self._thread = None

    def hang(self) -> None:
        """Take connections and never answer."""
        self.stop()
        self._deaf = Deaf(self.port)

    def freeze(self) -> None:
        """Hold the server: connections stay open and nothing is answered any more, until `thaw`."""
        assert self._thread is not None
        self._frozen.clear()
        self._thread.loop.call_soon_threadsafe(self._frozen.wait, 60.0)

    def thaw(self) -> None:
        """Let the server go on."""
        self._frozen.set()

    def add(self, name: str) -> None:
        """Add a variable to the running server."""
        assert self._server is not None
        assert self._thread is not None
        self.names.append(name)
        self._thread.run(self._variable(self._server, name))

    async def _serve(self) -> Server:
        secured = self._secured
        server = Server(user_manager=OneUser(secured.password if secured else ""))
        await server.init()
        server.set_endpoint(self.url)
        await server.set_application_uri(URI)
        if secured is None:
            server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        else:
            await server.load_certificate(secured.cert_file)
            await server.load_private_key(secured.key_file)
            server.set_security_policy(list(secured.policies))
            trusted = secured.client_cert_file.read_bytes()

            async def validate(certificate: Any, _description: Any) -> None:
                if certificate.public_bytes(Encoding.PEM) != trusted:
                    raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)

            server.set_certificate_validator(validate)
        await server.register_namespace(NODES)
        for name in self.names:
            await self._variable(server, name)
        for name, data in self._held.items():
            await self._write(server, name, data)
        await server.start()
        return server

    @staticmethod
    async def _variable(server: Server, name: str) -> None:
        number = ua.NodeId(ua.ObjectIds.Number, 0)  # of any type: the first write says which
        null = ua.Variant(None, ua.VariantType.Null)
        await server.nodes.objects.add_variable(ua.NodeId(name, 2), name, null, datatype=number)
        await server.write_attribute_value(ua.NodeId(name, 2), _NOTHING)

    @staticmethod
    async def _write(server: Server, name: str, data: ua.DataValue) -> None:
        node = ua.NodeId(name, 2)
        held = server.read_attribute_value(node).Value
        if held is not None and data.Value is not None and held.VariantType != data.Value.VariantType:
            await server.write_attribute_value(node, _NOTHING)  # it refuses another type than it holds
        await server.write_attribute_value(node, data)
