"""The journal's bytes are a promise: what is hashed stays as it is, so that old journals can be checked."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import pytest

from conformance.record_examples import T0, S, alert, event
from minewatch.contracts import AlertState, Announcement, Calibration, EventKind, TrialStage
from minewatch.errors import StoreError
from minewatch.store.records import journal

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "journal"

LIFE = [
    event(alert(1)),
    event(alert(2, value=float("nan"), limit=float("inf"), zone="", retrospective=True), gateway_ns=3),
    event(
        alert(1, state=AlertState.ACKNOWLEDGED, acknowledged_by="Айгүл"),
        EventKind.ACKNOWLEDGED,
        actor="Айгүл",
        comment='көрдім "1"\nадамдар шықты — ok',
    ),
    event(alert(1, state=AlertState.NORMAL, active=False, value=0.25), EventKind.CLEARED),
    event(alert(2, value=1e22, limit=-0.0), EventKind.COMMENTED, comment="\u2028 \x7f 𝄞"),
    event(
        alert(3, rule="test-announced", state=AlertState.NORMAL),
        EventKind.ANNOUNCED,
        actor="Айгүл",
        announced=Announcement("north/mm-3/ch4", T0, T0 + 3600 * S, "Айгүл"),
    ),
    event(
        alert(3, rule="test-gas"),
        EventKind.TAGGED,
        calibration=Calibration(TrialStage.TESTED, "", T0, T0 + 8 * S, 0.2, 2.1, 9.0, math.nan, "Айгүл", 2.2),
    ),
]


def test_the_text_and_hash_of_each_row_are_those_of_the_golden_file() -> None:
    """The same events give the same bytes and hashes as when the format was fixed."""
    golden = json.loads((VECTORS / "life.json").read_text(encoding="utf-8"))
    rows = journal.append(LIFE, 0, journal.ORIGIN)
    assert [{"text": t, "previous": p, "hash": e.hash} for e, t, p in rows] == golden["rows"]


def test_the_golden_hashes_follow_the_documented_rule() -> None:
    """Anybody can check the chain with nothing but SHA-256: hash before + text, from 32 zero bytes on."""
    before = b"\0" * 32
    for row in json.loads((VECTORS / "life.json").read_text(encoding="utf-8"))["rows"]:
        assert row["previous"] == before.hex()
        before = hashlib.sha256(before + row["text"].encode("utf-8")).digest()
        assert row["hash"] == before.hex()


def test_the_text_is_canonical() -> None:
    """Keys are sorted, no spaces stand between tokens, letters are themselves."""
    (_, text, _), *_ = journal.append(LIFE, 0, journal.ORIGIN)
    tree = json.loads(text)
    assert text == json.dumps(tree, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert "Метан шектен асты" in text


@pytest.mark.parametrize("number", range(len(LIFE)))
def test_a_text_gives_back_its_event(number: int) -> None:
    """Reading a row gives the event that was written, unknown numbers as NaN."""
    made, text, _ = journal.append(LIFE, 0, journal.ORIGIN)[number]
    read = journal.event_of(text, made.hash)
    assert repr(read).replace("inf", "nan") == repr(made).replace("inf", "nan")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"format":2}', '{"format":1,"alert":{},"event":"raised"}', '{"format":1,"alert":7}'],
)
def test_a_row_that_holds_no_event_is_said(text: str) -> None:
    """What cannot be read is a StoreError, not a traceback from somewhere inside."""
    with pytest.raises(StoreError, match="journal row"):
        journal.event_of(text, "")
