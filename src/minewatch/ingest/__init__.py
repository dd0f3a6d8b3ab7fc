"""MQTT or a recording in, columns of readings out."""
