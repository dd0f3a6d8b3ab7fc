"""Alembic migrations of the record store, run from the package."""
