"""Armv7E-M and Armv8-M with the DSP extension: two products of 16 bits an instruction."""

GUARD = "__ARM_FEATURE_DSP"
"""What compilers define for cores with the extension."""
