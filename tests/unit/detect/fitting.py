"""scikit-learn where a test fits a model; where it is absent the test is skipped, and CI must have it."""

import pytest

pytest.importorskip("sklearn", reason="absent part: scikit-learn (make test installs it)")
