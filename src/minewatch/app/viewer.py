"""A viewer of the push stream that measures how long an alert took from the sensor to the page."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from datetime import datetime
from urllib.parse import urlsplit


class Viewer:
    """Follows ``/api/v1/stream`` in a thread and keeps the latency of every alert that was raised live."""

    def __init__(self, address: str) -> None:
        self._address = urlsplit(address)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="viewer", daemon=True)
        self.latency_ms: list[float] = []
        self.rows: list[int] = []

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(3)

    def _run(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                self._follow()
            self._stop.wait(0.2)

    def _follow(self) -> None:
        connection = http.client.HTTPConnection(
            self._address.hostname or "127.0.0.1", self._address.port, timeout=5
        )
        try:
            last = {"Last-Event-ID": str(self.rows[-1])} if self.rows else {}
            connection.request("GET", "/api/v1/stream", headers=last)
            answer = connection.getresponse()
            kind = ""
            while not self._stop.is_set() and (line := answer.readline()):
                text = line.decode().rstrip("\n")
                if text.startswith("event:"):
                    kind = text[6:].strip()
                elif text.startswith("data:") and kind == "alert":
                    self._alert(json.loads(text[5:]))
                elif not text:
                    kind = ""
        finally:
            connection.close()

    def _alert(self, event: dict[str, object]) -> None:
        arrived = time.time()
        row = event["row"]
        if not isinstance(row, int) or (self.rows and row <= self.rows[-1]):
            return
        self.rows.append(row)
        alert = event["alert"]
        live = isinstance(alert, dict) and not alert.get("retrospective")
        if event["event"] == "raised" and live and event.get("actor") in ("", "rule", "minewatch"):
            self.latency_ms.append((arrived - datetime.fromisoformat(str(event["time"])).timestamp()) * 1000)
