"""Patterns for zones and places: ``*`` within a step of a path, ``**`` across steps, ``?`` one character."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

ANY = ("**",)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    meaning = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(part, re.escape(part)) for part in parts), re.DOTALL)


def matches(patterns: Sequence[str], text: str) -> bool:
    """Say whether any of the patterns fits the whole text."""
    return patterns == ANY or any(_compiled(pattern).fullmatch(text) for pattern in patterns)
