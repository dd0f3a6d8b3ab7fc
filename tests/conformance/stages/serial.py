"""An instrument at the other end of a pseudo-terminal that answers what it is asked."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import tty
from functools import reduce
from typing import Any, ClassVar

from . import stage


class Stage(stage.Stage):
    """Two registers, asked by ``R0`` and ``R1``; each frame carries a checksum in hex."""

    kind = "serial"
    cannot: ClassVar = {"stamp": "a serial line has no times of its own"}

    def __init__(self, folder: stage.Path) -> None:
        super().__init__(folder)
        self._name = folder / "line"
        self._texts = ["0.5", "50"]
        self._silent = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def where(self) -> str:
        return str(self._name)

    def device(self) -> dict[str, Any]:
        return {
            "port": str(self._name), "mode": "ask", "timeout_s": 0.5, "checksum": "xor", "checksum_as": "hex",
            "pattern": r"V=(?P<value>\S+)",
        }  # fmt: skip

    def points(self) -> list[dict[str, Any]]:
        return [{"request": "R0\r\n"}, {"request": "R1\r\n", "scale": 0.01}]

    def start(self) -> None:
        """Plug the line in: a new pseudo-terminal under the same name."""
        self.stop()
        self._silent = False
        master, slave = os.openpty()
        tty.setraw(slave)
        self._name.symlink_to(os.ttyname(slave))
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._answer, args=(master, slave, self._stop), name="instrument", daemon=True
        )
        self._thread.start()

    def set(self, point: int, value: float, ts_ns: int | None = None) -> None:
        self._texts[point] = repr(value if point == 0 else value * 100)

    def set_bad(self, point: int) -> None:
        self._texts[point] = "----"

    def stop(self) -> None:
        """Unplug it: the node is gone and what was open fails."""
        self._name.unlink(missing_ok=True)
        if self._thread is not None:
            self._stop.set()
            self._thread.join(5.0)
            self._thread = None

    def hang(self) -> None:
        self._silent = True

    def close(self) -> None:
        self.stop()

    def _answer(self, master: int, slave: int, stop: threading.Event) -> None:
        """Serve one line; the slave stays open so that a driver may come and go."""
        heard = b""
        while not stop.is_set():
            if not select.select([master], [], [], 0.05)[0]:
                continue
            heard += os.read(master, 1000)
            while b"\n" in heard:
                line, _, heard = heard.partition(b"\n")
                body = line.rstrip(b"\r")[:-2]
                assert line.rstrip(b"\r")[-2:] == checksum(body)
                answer = b"V=" + self._texts[int(body[1:])].encode()
                if not self._silent:
                    os.write(master, answer + checksum(answer) + b"\r\n")
        with contextlib.suppress(OSError):
            os.close(slave)
        os.close(master)


def checksum(body: bytes) -> bytes:
    """Return the exclusive or of all bytes, in hex."""
    return b"%02X" % reduce(lambda a, b: a ^ b, body, 0)
