"""One connection to an OPC UA server: an event loop in a thread, session, subscription, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto import security_policies
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography import x509

from minewatch_edge.errors import DriverError

T = TypeVar("T")
Deliver = Callable[[int, Any], None]

# It tells each failed request; the sampler tells the first, and the return.
logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)

POLICIES: dict[str, Any] = {
    "Basic256Sha256": security_policies.SecurityPolicyBasic256Sha256,
    "Aes128_Sha256_RsaOaep": security_policies.SecurityPolicyAes128Sha256RsaOaep,
}
_GRACE_S = 1.0
_MENDS = {
    "BadUserAccessDenied": "Mend username and the password's file or variable",
    "BadIdentityTokenRejected": "Mend username and the password's file or variable",
    "BadIdentityTokenInvalid": "Mend username and the password's file or variable",
    "BadCertificateUntrusted": "Have the server trust the certificate of cert_file",
    "BadCertificateUriInvalid": "Make cert_file anew with a URI among its subject alternative names",
    "BadCertificateTimeInvalid": "The certificate of cert_file has expired: make it anew",
    "BadSecurityChecksFailed": "Have the server trust cert_file; look whether server_cert_file is its own",
    "BadTooManySessions": "Raise the number of sessions at the server, or end others",
    "BadNodeIdUnknown": "There is no such node: look it up in the server, mend `node`",
    "BadNodeIdInvalid": "Mend `node`, as in ns=2;s=Gas.CH4",
    "BadNotReadable": "Let the user read this node",
    "BadAttributeIdInvalid": "This node has no value: name the variable, not its folder",
}


@dataclass(frozen=True, slots=True)
class Server:
    """Which server, how it is spoken to, and how fast."""

    url: str
    where: str
    security: str = "None"
    mode: str = "SignAndEncrypt"
    cert_file: Path | None = None
    key_file: Path | None = None
    server_cert_file: Path | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = 4.0
    publish_s: float = 1.0
    sampling_s: float = 1.0
    queue_size: int = 10


class Link:
    """Connected once; when it is lost it says why in ``lost``, and another one takes its place."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.lost = ""
        self._client: Client | None = None
        self._subscription: Any = None
        self._deliver: Deliver | None = None
        self._indices: dict[Any, set[int]] = {}  # of the points of a node
        self._loop = asyncio.new_event_loop()
        # Its own, so that a name server that hangs holds up no end.
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="opcua")
        self._loop.set_default_executor(self._pool)
        self._thread = threading.Thread(target=self._loop.run_forever, name="opcua", daemon=True)
        self._thread.start()

    def connect(self) -> None:
        """Open channel and session; raise DriverError with place and mend within the timeout."""
        self._run(self._connect())

    def subscribe(self, nodes: Sequence[tuple[int, str]], deliver: Deliver) -> dict[int, str]:
        """Have every change of the nodes delivered, (index, DataValue); return what is wrong, by index."""
        self._deliver = deliver
        return self._run(self._subscribe(nodes))

    def read(self, nodes: Sequence[tuple[int, str]]) -> dict[int, Any]:
        """Return the DataValue of each node, or the words of what is wrong."""
        return self._run(self._read(nodes))

    def close(self) -> None:
        """End session, loop and threads; no matter how often."""
        if self._loop.is_closed():
            return
        if self._client is not None and not self.lost:
            with contextlib.suppress(DriverError):
                self._run(self._client.disconnect())
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._rest(), self._loop).result(_GRACE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(self._server.timeout_s + _GRACE_S)
        self._pool.shutdown(wait=False, cancel_futures=True)
        if not self._thread.is_alive():
            self._loop.close()

    # --- asyncua calls these ----------------------------------------------------------------------------

    def datachange_notification(self, node: Any, _value: object, data: Any) -> None:
        """Take a change."""
        for index in self._indices.get(node.nodeid, ()):
            if self._deliver is not None:
                self._deliver(index, data.monitored_item.Value)

    def status_change_notification(self, status: Any) -> None:
        """Learn that the server gave the subscription up."""
        if not ua.StatusCode.is_good(status.Status):
            self.lost = self.lost or f"the server ended the subscription ({status.Status.name})"

    async def _on_lost(self, error: Exception) -> None:
        self.lost = self.lost or f"the connection was lost ({str(error) or type(error).__name__})"

    # --- in the loop ------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        server = self._server
        client = self._client = Client(
            server.url, timeout=server.timeout_s, watchdog_intervall=server.timeout_s
        )
        client.name = client.description = "minewatch-edge"
        client.application_uri = "urn:minewatch:edge"
        client.connection_lost_callback = self._on_lost
        if server.username:
            client.set_user(server.username)
            client.set_password(server.password)
        if server.security != "None":
            cert_file, key_file, server_file = (
                str(path) for path in (server.cert_file, server.key_file, server.server_cert_file)
            )
            client.application_uri = _uri(Path(cert_file)) or client.application_uri
            await client.set_security(
                POLICIES[server.security],
                cert_file,
                key_file,
                server_certificate=server_file,
                mode=ua.MessageSecurityMode[server.mode],
            )
        await client.connect()

    async def _subscribe(self, nodes: Sequence[tuple[int, str]]) -> dict[int, str]:
        faults: dict[int, str] = {}
        found = await self._nodes(nodes, faults)
        if self._subscription is None:
            self._subscription = await self._ready().create_subscription(self._server.publish_s * 1e3, self)
        if not found:
            return faults
        once = {node.nodeid: node for node in found.values()}  # two points of one node share an item
        answers = await self._subscription.subscribe_data_change(
            list(once.values()),
            queuesize=self._server.queue_size,
            sampling_interval=self._server.sampling_s * 1e3,
        )
        told = dict(zip(once, answers, strict=True))
        for index, node in found.items():
            if isinstance(answer := told[node.nodeid], ua.StatusCode):
                faults[index] = status_words(answer)
        return faults

    async def _read(self, nodes: Sequence[tuple[int, str]]) -> dict[int, Any]:
        faults: dict[int, str] = {}
        found = await self._nodes(nodes, faults)
        values = await self._ready().read_attributes(list(found.values())) if found else []
        return {**faults, **dict(zip(found, values, strict=True))}

    async def _nodes(self, nodes: Sequence[tuple[int, str]], faults: dict[int, str]) -> dict[int, Any]:
        """Return the node objects by index; a namespace by its URI is looked up, as its number may change."""
        client, found = self._ready(), dict[int, Any]()
        for index, text in nodes:
            name = text
            if text.startswith("nsu="):
                uri, _, rest = text[4:].partition(";")
                try:
                    name = f"ns={await client.get_namespace_index(uri)};{rest}"
                except ValueError:
                    faults[index] = f"the server has no namespace {uri}. Look it up there, mend `node`"
                    continue
            found[index] = client.get_node(name)
            self._indices.setdefault(found[index].nodeid, set()).add(index)
        return found

    def _ready(self) -> Client:
        if self._client is None:
            raise OSError("not connected yet")
        return self._client

    async def _rest(self) -> None:
        if self._client is not None:
            self._client.disconnect_socket()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run in the loop and wait for it, within the timeout; every fault is a DriverError."""
        server = self._server

        async def bounded() -> T:
            return await asyncio.wait_for(work, server.timeout_s)

        try:
            return asyncio.run_coroutine_threadsafe(bounded(), self._loop).result(server.timeout_s + _GRACE_S)
        except (Exception, asyncio.CancelledError) as error:
            # All sorts: bytes that are no answer raise struct.error and the like in the library.
            told = _told(error, server)
            self.lost = self.lost or told.what
            raise told from error


def _told(error: BaseException, server: Server) -> DriverError:
    """Return an error of the library as one with place and mend."""
    where = server.where
    if isinstance(error, (TimeoutError, asyncio.CancelledError)):
        return DriverError(
            f"{where}: the OPC UA server does not answer within {server.timeout_s:g} s",
            mend="Look at the server and the network; with security also at server_cert_file",
        )
    if isinstance(error, UaStatusCodeError):
        return DriverError(f"{where}: the server says {_code_words(error.code)}", mend=_mend(error.code))
    if isinstance(error, UaError):
        return DriverError(f"{where}: {error}", mend="Look at security, security_mode and server_cert_file")
    if isinstance(error, OSError):
        return DriverError(
            f"{where}: no connection to the OPC UA server ({error.strerror or error})",
            mend="Look at its power and network cable, and at url in edge.toml",
        )
    if isinstance(error, ValueError):
        return DriverError(
            f"{where}: the certificates do not fit ({error})",
            mend="Mend cert_file, key_file and server_cert_file",
        )
    return DriverError(
        f"{where}: the server gives no usable answer ({type(error).__name__}: {error})",
        mend="Look whether an OPC UA server listens there",
    )


def status_words(status: Any) -> str:
    """Return what a status says, and the mend where there is one."""
    return f"the server says {_code_words(status.value)}. {_mend(status.value)}"


def _code_words(code: int) -> str:
    name, words = ua.status_codes.get_name_and_doc(code)
    return f"{name} ({words.rstrip('.')})"


def _mend(code: int) -> str:
    name, _ = ua.status_codes.get_name_and_doc(code)
    return _MENDS.get(name, "Look into the log of the server")


def _uri(cert_file: Path) -> str:
    """Return the application's URI as its certificate names it: servers refuse any other."""
    content = cert_file.read_bytes()
    pem = content.startswith(b"-----")
    cert = x509.load_pem_x509_certificate(content) if pem else x509.load_der_x509_certificate(content)
    try:
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    return next(iter(names.get_values_for_type(x509.UniformResourceIdentifier)), "")
