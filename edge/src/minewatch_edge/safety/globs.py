"""Patterns of rules: ``*`` within a step of a path, ``**`` across steps, ``?`` one character.

The service reads them with a reader of its own; a test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

ANY = ("**",)
_MEANING = {"**": ".*", "*": "[^/]*", "?": "[^/]"}


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    return re.compile("".join(_MEANING.get(part, re.escape(part)) for part in parts), re.DOTALL)


def matches(patterns: Sequence[str], text: str) -> bool:
    """Say whether any of the patterns fits the whole text."""
    return any(_compiled(pattern).fullmatch(text) for pattern in patterns)
