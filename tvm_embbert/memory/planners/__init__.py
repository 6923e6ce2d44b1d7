"""Planning algorithms, one a file; each registers itself by name."""
