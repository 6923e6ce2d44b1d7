"""Implementations, a folder an instruction set, a file an operator."""
