"""Every numba function of this room; arrays in, arrays out, nothing of ours imported."""
