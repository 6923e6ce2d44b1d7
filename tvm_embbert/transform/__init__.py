"""Passes on float Relax, a pass a file; `pipeline` has their order."""
