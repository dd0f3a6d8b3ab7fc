import ast
import re
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).parents[3]


class FigureCall(ast.Call):
    """A call by a plain name."""

    func: ast.Name


KINDS = {"Counter": "counter", "Gauge": "gauge", "Histogram": "histogram"}


def is_figure(node: ast.AST) -> TypeGuard[FigureCall]:
    """Say whether a piece of source makes a figure of ours (a Counter of collections is none)."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in KINDS
        and bool(node.args)
        and isinstance(node.args[0], ast.Constant)
        and str(node.args[0].value).startswith("minewatch_")
    )


def figures() -> dict[str, tuple[str, str]]:
    """Return every figure that the service's source defines: name to (kind, labels)."""
    found = {}
    for path in (ROOT / "src/minewatch").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if is_figure(node):
                name = str(ast.literal_eval(node.args[0]))
                labels = ast.literal_eval(node.args[2]) if len(node.args) > 2 else ()
                kind = KINDS[node.func.id]
                if kind == "counter":
                    name = name.removesuffix("_total") + "_total"
                found[name] = (kind, ", ".join(labels))
    return found


def documented() -> dict[str, tuple[str, str]]:
    """Return what docs/metrics.md says: name to (kind, labels)."""
    page = (ROOT / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `(minewatch_\w+)` \| (\w+) \| ([^|]*?) \| [^|]+ \|$", page, re.MULTILINE)
    return {name: (kind, labels.replace("`", "")) for name, kind, labels in rows}


def test_every_figure_is_documented() -> None:
    """The page of figures has each figure of the service with its kind and labels, and no other."""
    assert documented() == figures()


def test_names_follow_the_rule() -> None:
    """Prefix, room, base units; counters end in _total, and nothing else does."""
    for name, (kind, _) in figures().items():
        assert re.fullmatch(r"minewatch_[a-z][a-z0-9_]+", name), name
        assert name.endswith("_total") == (kind == "counter"), name
        assert not name.endswith(("_ms", "_milliseconds", "_kb", "_percent")), name
