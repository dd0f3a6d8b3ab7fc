"""One file a revision; a revision that has shipped never changes."""
