"""Figures with their bars; ``python -m tests.bench [PREFIX]``."""
