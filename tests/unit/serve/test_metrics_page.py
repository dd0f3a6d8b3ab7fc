import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
KINDS = {"Counter": "counter", "Gauge": "gauge", "Histogram": "histogram"}


def figures() -> dict[str, tuple[str, str]]:
    """Return every figure that the service's source defines: name to (kind, labels)."""
    found = {}
    for path in (ROOT / "src/minewatch").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                name, *rest = [ast.literal_eval(arg) for arg in node.args]
                labels = rest[1] if len(rest) > 1 else ()
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
