"""A million broken messages in, nothing breaks: both ends, memory bounded, walker and protobuf agreed."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from fuzz import fuzzing

SHARE = 100 if numba.config.DISABLE_JIT else 1  # plain Python takes its time
GROWTH = 64 << 20
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_host(seed: int) -> None:
    """Of 170,000 broken births, data, deaths, commands and STATE nothing raises and memory stays bounded."""
    fuzzing.host(20_000 // SHARE, seed)  # what is compiled or cached once is
    before = fuzzing.resident_bytes()
    told = fuzzing.host(150_000 // SHARE, seed + 100)
    assert told["messages"] >= 150_000 // SHARE
    assert min(told["readings"], told["rejects"], told["published"]) > 0
    assert fuzzing.resident_bytes() - before < GROWTH


@pytest.mark.parametrize("seed", [21, 22])
def test_edge(seed: int) -> None:
    """Of 250,000 broken commands and STATE none raises; it is born, refuses, and goes on all the same."""
    fuzzing.edge(1_000, seed)
    before = fuzzing.resident_bytes()
    told = fuzzing.edge(250_000 // SHARE, seed)
    assert {"Publish", "Refused", "HostOnline"} <= set(told)
    assert fuzzing.resident_bytes() - before < GROWTH


def test_agreement() -> None:
    """What the walker takes of broken payloads, protobuf takes with the same rows."""
    assert fuzzing.agreement(24_000 // SHARE, 31) > 1_000 // SHARE


def test_every_load_is_inside_its_message() -> None:
    """Run in plain Python, with bounds checks, the walker reads no byte outside the message it walks."""
    code = "from fuzz import fuzzing; print(fuzzing.checked(3_000, 41))"
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert int(done.stdout) > 100
