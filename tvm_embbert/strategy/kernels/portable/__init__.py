"""Portable C: correct on every core, with no instruction set's own code."""
