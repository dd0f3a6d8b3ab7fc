import ast
import re
from pathlib import Path

from minewatch.serve.problems import CODES
from minewatch.serve.settings import ServeSettings
from unit.serve.stage import Stage

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/http-api.md").read_text()


def test_the_page_has_every_route_and_no_other(stage: Stage) -> None:
    """Each route of the OpenAPI document is on the page of the API, and the page names none besides."""
    document = stage.app.openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in document.items() for method in methods}
    assert set(re.findall(r"`((?:GET|POST) /[^`?]*)`", PAGE)) == routes


def constants(name: str) -> list[ast.Constant]:
    """Return the second arguments of the calls of a function anywhere in this room, where they are plain."""
    calls = [
        node
        for path in (ROOT / "src/minewatch/serve").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]
    return [call.args[1] for call in calls if len(call.args) > 1 and isinstance(call.args[1], ast.Constant)]


def test_the_page_has_every_code_of_an_error() -> None:
    """Each code that a problem document can have stands in the table of errors, and no other."""
    rows = re.findall(r"^\| (`[a-z`, -]+`) \| \d{3} \|", PAGE, re.MULTILINE)
    documented = {code for row in rows for code in re.findall(r"`([^`]+)`", row)}
    plain = {str(c.value) for name in ("Problem", "answer") for c in constants(name)}
    chosen = {"foreign-host", "foreign-origin", "store-busy", "store-error", "invalid-field", "invalid-json"}
    assert documented == plain | chosen | {code for code, _ in CODES.values()}


def test_settings_that_the_page_names_exist() -> None:
    """A setting named on the page is one."""
    named = set(re.findall(r"`serve\.(\w+)`", PAGE))
    assert named
    assert named <= set(ServeSettings.model_fields)
