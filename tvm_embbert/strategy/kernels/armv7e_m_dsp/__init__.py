"""Armv7E-M and Armv8-M with the DSP extension: two products of 16 bits an instruction."""
