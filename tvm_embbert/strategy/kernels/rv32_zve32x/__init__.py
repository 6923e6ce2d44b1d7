"""RV32 with the vector extension for embedded cores (Zve32x): whole loops in assembly.

There is no instruction for dot products. Products of bytes are made in 16 bits, as many as fit are
added there, and go to 32 bits by a reduction or a widening addition. Registers may be longer than
128 bits: nothing relies on where a group of registers is divided.
"""
