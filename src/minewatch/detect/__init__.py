"""Readings in, findings out: data quality, limits, change."""
