"""The frame of the Sparkplug conformance suite: assertion -> check -> mutant, for the edge node and the host.

A check is a function of one argument, the evidence: what our own code did on a timeline or put on a wire. It
asserts what the specification says and names the assertion ids it proves. Each comes with mutants: changes to
our own code after which the check must fail. `test_edge.py` and `test_host.py` run both, the table in
`docs/sparkplug-conformance.md` is written by `render`.

The ids are those of Eclipse Sparkplug 3.0.0; whom each one binds is our reading of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
VECTOR = ROOT / "tests/vectors/sparkplug/assertions-3.0.0.txt"
PAGE = ROOT / "docs/sparkplug-conformance.md"
PROFILES = ("edge", "host")

Check = Callable[[Any], None]


@dataclass(frozen=True)
class Mutant:
    """A change to our own code; ``breaks`` says in words what then goes wrong."""

    breaks: str
    apply: Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Proof:
    """One assertion of one profile, the check that proves it, and what must make the check fail."""

    id: str
    profile: str
    check: Check
    mutants: tuple[Mutant, ...]

    @property
    def file(self) -> str:
        """Return the file of the check, from the root of the project."""
        return str(Path(self.check.__code__.co_filename).relative_to(ROOT))


_PROOFS: dict[tuple[str, str], Proof] = {}
_EXEMPT: dict[tuple[str, str], str] = {}


def proves(profile: str, *ids: str, mutants: Mutant | tuple[Mutant, ...]) -> Callable[[Check], Check]:
    """Enter a check for assertion ids; each mutant must make it fail."""
    several = (mutants,) if isinstance(mutants, Mutant) else mutants
    assert several, f"{ids} need a mutant"

    def enter(check: Check) -> Check:
        for name in ids:
            _claim(profile, name)
            _PROOFS[profile, name] = Proof(name, profile, check, several)
        return check

    return enter


def not_applicable(profile: str, because: str, *ids: str) -> None:
    """Say of assertion ids why they do not bind us."""
    for name in ids:
        _claim(profile, name)
        _EXEMPT[profile, name] = because


def _claim(profile: str, name: str) -> None:
    assert name in assertions(profile), f"{name} is no assertion for the {profile}"
    assert (profile, name) not in _PROOFS, f"{name} has a check already"
    assert (profile, name) not in _EXEMPT, f"{name} is called not applicable already"


def assertions(profile: str) -> list[str]:
    """Return the ids that bind a profile, in the order of the specification."""
    rows = (line.split() for line in VECTOR.read_text(encoding="utf-8").splitlines())
    return [name for bound, name in rows if profile in bound.split(",")]


def proofs(profile: str) -> list[Proof]:
    """Return the proofs of a profile, in the order of the specification."""
    return [_PROOFS[profile, name] for name in assertions(profile) if (profile, name) in _PROOFS]


def mutations(profile: str) -> list[Any]:
    """Return (proof, mutant) as parameters of a test, named by assertion and what is broken.

    A check that proves several assertions meets each of its mutants once, under the first of them.
    """
    by_check = {proof.check: proof for proof in reversed(proofs(profile))}
    return [
        pytest.param(proof, mutant, id=f"{proof.id}-{mutant.breaks}")
        for proof in proofs(profile)
        for mutant in proof.mutants
        if by_check[proof.check] is proof
    ]


def missing(profile: str) -> list[str]:
    """Return the ids with neither a check nor a reason."""
    return [n for n in assertions(profile) if (profile, n) not in _PROOFS and (profile, n) not in _EXEMPT]


def must_fail(proof: Proof, mutant: Mutant, evidence: Callable[[], Any], patch: pytest.MonkeyPatch) -> None:
    """Apply a mutant and see the check fail by an assertion of its own."""
    mutant.apply(patch)
    with pytest.raises(AssertionError):
        proof.check(evidence())


def render(profile: str) -> str:
    """Return the table of a profile as it must stand in the page, between its two marks."""
    rows = [
        f"<!-- {profile}: begin -->",
        "| assertion | state | proved by, or why not |",
        "| --- | --- | --- |",
    ]
    for name in assertions(profile):
        proof = _PROOFS.get((profile, name))
        if proof is not None:
            rows.append(f"| `{name}` | passed | `{proof.file}` `{proof.check.__name__}` |")
        else:
            reason = _EXEMPT.get((profile, name))
            rest = f"not applicable | because {reason}" if reason else "open | "
            rows.append(f"| `{name}` | {rest} |")
    return "\n".join([*rows, f"<!-- {profile}: end -->"])


def write(profile: str) -> None:
    """Put the table of a profile into the page."""
    page = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {profile}: begin -->", f"<!-- {profile}: end -->"
    before, rest = page.split(begin)
    PAGE.write_text(before + render(profile) + rest.split(end)[1], encoding="utf-8")


def change(target: object, name: str, value: object, breaks: str) -> Mutant:
    """Return the mutant in which an attribute of ours is another value."""
    return Mutant(breaks, lambda patch: patch.setattr(target, name, value))
