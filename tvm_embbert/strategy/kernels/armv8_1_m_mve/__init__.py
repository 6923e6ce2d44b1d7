"""Armv8.1-M with the vector extension (MVE, Helium): whole inner loops in assembly.

VMLADAVA multiplies 16 pairs of bytes and adds the products to one general register, an even one, so
that eight sums are under way: two rows of one operand against four of the other. VLDM fetches up to
four vectors at once, so the operands are packed in the order of their use.
"""
