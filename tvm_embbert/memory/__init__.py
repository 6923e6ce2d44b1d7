"""Liveness, planning, verification and budget of the one arena."""
