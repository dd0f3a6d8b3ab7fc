"""Kernels with a planted error: its tests must catch it."""

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture
def plant():
    """Return a function that gives a kernel module as plain Python with one piece of its text replaced."""
    made = []

    def planted(module, before, after):
        source = Path(module.__file__).read_text(encoding="utf-8")
        assert source.count(before) >= 1, f"the kernel no longer holds {before!r}"
        name = f"{module.__package__}.planted_{len(made)}"
        spec = importlib.util.spec_from_loader(name, loader=None)
        mutant = importlib.util.module_from_spec(spec)
        mutant.__package__ = module.__package__
        sys.modules[name] = mutant
        made.append(name)
        text = source.replace(before, after).replace("from .jit import kernel", "kernel = lambda f: f")
        exec(compile(text, str(module.__file__), "exec"), mutant.__dict__)  # our own text
        return mutant

    yield planted
    for name in made:
        sys.modules.pop(name, None)
