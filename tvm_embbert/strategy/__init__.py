"""Operator strategies: an operator a file, and a registry that chooses kernels for a target."""
