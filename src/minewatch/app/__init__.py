"""The wiring: the only place that knows two rooms at once."""
