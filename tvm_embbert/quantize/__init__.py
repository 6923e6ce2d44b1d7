"""Calibration, the integer arithmetic, and the rewrite to integer Relax."""
