"""Zones, equipment, exposure: not built yet."""
