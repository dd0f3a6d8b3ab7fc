"""`GET /metrics` in a thread of its own, which only ever sees a finished text."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import Any

from minewatch_edge.errors import EdgeConfigError
from minewatch_edge.metrics import CONTENT_TYPE

_REQUEST_TIMEOUT_S = 5.0
_CLOSE_S = 0.5


class MetricsServer:
    """Serves the text it was given last; raises EdgeConfigError when the port is not free."""

    def __init__(self, address: str, port: int) -> None:
        self.text = "\n"
        owner = self

        class Answer(_Answer):
            def page(self) -> str:
                return owner.text

        try:
            self._server = _Server((address, port), Answer)
        except (OSError, UnicodeError) as error:
            raise EdgeConfigError(
                f"cannot listen on {address}:{port}: {error}",
                where="metrics.port",
                mend="Choose a port that is free, or 0 for no metrics",
            ) from error
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; a client that is still asking is not waited for."""
        threading.Thread(target=self._server.shutdown, name="metrics-end", daemon=True).start()
        self._thread.join(_CLOSE_S)
        self._server.server_close()


class _Server(TCPServer):  # not HTTPServer: that asks a name server who we are
    """One question at a time: a flood of them may not eat the gateway, and a slow one ends soon."""

    allow_reuse_address = True

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """A client that went away is no event."""


class _Answer(BaseHTTPRequestHandler):
    timeout = _REQUEST_TIMEOUT_S
    server_version = "minewatch-edge"
    sys_version = ""

    def page(self) -> str:
        """Return the present text."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Answer /metrics, and nothing else."""
        found = self.path.split("?", 1)[0] == "/metrics"
        body = (self.page() if found else "Ask for /metrics\n").encode("utf-8")
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", CONTENT_TYPE if found else "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing: a scrape each few seconds is no event."""
