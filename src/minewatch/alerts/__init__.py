"""Rules and limits, and the life of an alert."""
