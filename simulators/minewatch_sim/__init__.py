"""Simulated mines and recordings that drive the real edge agent."""
