"""Plant sign, index and comparison errors in a kernel's source, one at a time, and see which go unnoticed.

A mutant runs as plain Python: the source is parsed anew with one place changed. A check gets the mutated
module and must raise; one that returns has not seen the error. Loops that never end are stopped by a timer.

    assert survivors(module, check) == []
"""

import ast
import importlib
import os
import signal
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

C = TypeVar("C")
SIGNS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult}
OPPOSITE = {
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
}  # fmt: skip
EDGE = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
SWAPPED = {"min": "max", "max": "min", "floor": "ceil", "ceil": "floor"}
LONGEST_S = 3.0


class Endless(Exception):
    """A mutant did not come to an end."""


def _places(tree: ast.AST, edges: bool) -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    """Yield (name, change, change back) of every place where an error can be planted."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in SIGNS:
            yield _swap(node, "op", SIGNS[type(node.op)](), f"{line}: {ast.unparse(node)}: sign")
        elif isinstance(node, ast.Compare):
            for table, kind in ((OPPOSITE, "opposite"), (EDGE, "edge")):
                if type(node.ops[0]) in table and (kind == "opposite" or edges):
                    ops = [table[type(node.ops[0])](), *node.ops[1:]]
                    yield _swap(node, "ops", ops, f"{line}: {ast.unparse(node)}: {kind}")
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
            yield _swap(node, "op", ast.UAdd(),
                        f"{line}: {ast.unparse(node)}: sign")  # fmt: skip
        elif isinstance(node, ast.BoolOp):
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield _swap(node, "op", other, f"{line}: {ast.unparse(node)}: and/or")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SWAPPED:
            yield _swap(node.func, "id", SWAPPED[node.func.id], f"{line}: {ast.unparse(node)}: swapped")
        elif (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SWAPPED
        ):
            yield _swap(node.func, "attr", SWAPPED[node.func.attr], f"{line}: {ast.unparse(node)}: swapped")
        elif isinstance(node, ast.Subscript):
            index = node.slice
            if isinstance(index, ast.Constant) and isinstance(index.value, int):
                yield _swap(index, "value", index.value + 1, f"{line}: {ast.unparse(node)}: index")


def _swap(
    node: ast.AST, field: str, value: object, name: str
) -> tuple[str, Callable[[], None], Callable[[], None]]:
    before = getattr(node, field)
    return name, lambda: setattr(node, field, value), lambda: setattr(node, field, before)


def _functions(tree: ast.Module, names: tuple[str, ...]) -> list[ast.AST]:
    found = [n for n in tree.body if isinstance(n, ast.FunctionDef) and (not names or n.name in names)]
    for function in found:
        function.returns = None
        for argument in function.args.args:
            argument.annotation = None
    return list(found)


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Endless

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def build(module: types.ModuleType, tree: ast.Module) -> types.ModuleType:
    """Return the module of a tree, its kernels and those it imports as plain Python."""
    made = types.ModuleType(module.__name__)
    made.__package__ = module.__package__
    code = compile(ast.fix_missing_locations(tree), str(module.__file__), "exec")
    exec(code, made.__dict__)
    for name, value in list(made.__dict__.items()):
        made.__dict__[name] = getattr(value, "py_func", value)
    return made


def survivors(
    module: types.ModuleType,
    check: Callable[[types.ModuleType], object],
    functions: tuple[str, ...] = (),
    edges: bool = False,
    same: tuple[str, ...] = (),
) -> list[str]:
    """Return the planted errors that ``check`` did not notice, as "line: expression: kind".

    ``functions`` restricts the places; ``edges`` plants also < for <=; ``same`` are expressions whose change
    alters nothing that can be seen (say why where you list them). The unchanged module must pass.
    """
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    roots = _functions(tree, functions)
    check(build(module, tree))
    alive = []
    count = 0
    for root in roots:
        for name, change, back in _places(root, edges):
            if any(text in name for text in same):
                continue
            count += 1
            change()
            try:
                with _at_most(LONGEST_S):
                    check(build(module, tree))
            except Exception:  # noqa: BLE001 - whatever the check raises, it has noticed
                pass
            else:
                alive.append(name)
            finally:
                back()
    assert count, "nothing was planted"
    return alive


def try_all(cases: list[C], check: Callable[[C], object]) -> None:
    """Check case after case; one that fails comes first the next time, as neighbouring errors fail alike."""
    for at, case in enumerate(cases):
        try:
            check(case)
        except Exception:
            cases.insert(0, cases.pop(at))
            raise


def compiled_away() -> bool:
    """Return whether the tests run without the compiler anyway: once is enough for mutants."""
    return os.environ.get("NUMBA_DISABLE_JIT") == "1" or os.environ.get("NUMBA_BOUNDSCHECK") == "1"


def load(name: str) -> types.ModuleType:
    """Return a kernel module by its short name."""
    return importlib.import_module(f"minewatch.detect.kernels.{name}")
