"""Several sensors judged together: of one device, of one zone, of one quantity."""
