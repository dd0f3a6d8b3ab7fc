"""What a spool holds, read beside the agent that uses it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from minewatch_edge.errors import EdgeConfigError

_REJECTS_SHOWN = 20


def read(path: Path) -> dict[str, Any]:
    """Return what is held by device, the counters and the newest rejects, without writing to the file.

    Raises EdgeConfigError when there is no spool at that path.
    """
    if not path.exists():
        raise EdgeConfigError(
            "there is no spool yet", where=str(path), mend="Start the agent: minewatch-edge run"
        )
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
            return _report(db, path)
    except sqlite3.DatabaseError as error:
        raise EdgeConfigError(
            f"cannot be read: {error}", where=str(path), mend="Stop the agent and look again"
        ) from error


def _report(db: sqlite3.Connection, path: Path) -> dict[str, Any]:
    db.row_factory = sqlite3.Row
    found = dict(db.execute("SELECT * FROM state").fetchone())
    first, last = db.execute("SELECT min(id), max(id) FROM row").fetchone()
    devices = db.execute(
        "SELECT device, count(*) AS n_rows, sum(n) AS readings, min(ts) AS oldest, max(ts) AS newest"
        " FROM row WHERE note IS NULL GROUP BY device ORDER BY device"
    ).fetchall()
    rejects = db.execute(
        "SELECT ts, device, reason, text FROM reject ORDER BY id DESC LIMIT ?", (_REJECTS_SHOWN,)
    ).fetchall()
    notes, gaps = db.execute(
        "SELECT (SELECT count(*) FROM row WHERE note IS NOT NULL), (SELECT count(*) FROM gap)"
    ).fetchone()
    return {
        "path": str(path),
        "bytes": path.stat().st_size,
        "spool": found["identity"],
        "first_row": first,
        "last_row": last,
        "notes": notes,
        "gaps": gaps,
        "held": sum(d["readings"] for d in devices),
        **{
            key: found[key]
            for key in ("sampled", "sent", "acked", "evicted_size", "evicted_age", "dropped", "rejected")
        },
        "devices": [
            {
                "device": d["device"],
                "rows": d["n_rows"],
                "readings": d["readings"],
                "oldest": _iso(d["oldest"]),
                "newest": _iso(d["newest"]),
            }
            for d in devices
        ],
        "rejects": [
            {"time": _iso(r["ts"]), "device": r["device"], "reason": r["reason"], "text": r["text"]}
            for r in rejects
        ],
    }


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1e3, UTC).isoformat(timespec="milliseconds")
