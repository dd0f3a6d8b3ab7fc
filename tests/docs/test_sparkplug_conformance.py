"""The page about Sparkplug conformance says what the suite proves, of every assertion, and nothing else."""

import pytest

from conformance.sparkplug import checks  # noqa: F401  # each enters its checks
from conformance.sparkplug.frame import PAGE, PROFILES, assertions, missing, render

COMPLETE = ("edge", "host")


def test_the_list_is_whole() -> None:
    """Sparkplug 3.0.0 has 299 testable assertions; eleven bind brokers only."""
    ours = {name for profile in PROFILES for name in assertions(profile)}
    assert len(ours) == 299 - len(assertions("broker"))
    assert len(assertions("broker")) == 11


@pytest.mark.parametrize("profile", PROFILES)
def test_the_table_is_what_the_suite_says(profile: str) -> None:
    """Each row is passed with the check that proves it, or not applicable with the reason."""
    page = PAGE.read_text(encoding="utf-8")
    assert render(profile) in page, (
        "the table is not what the checks say; write it anew:"
        f" PYTHONPATH=tests python -m conformance.sparkplug.write {profile}"
    )


@pytest.mark.parametrize("profile", COMPLETE)
def test_no_assertion_is_left_open(profile: str) -> None:
    """No assertion that binds us lacks both a check and a reason."""
    assert missing(profile) == []
