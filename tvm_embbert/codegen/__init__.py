"""C99 and the archive."""
