"""Cores without vectors or pairs: two rows in a word, so that a multiplication serves both.

A word is ``row0 + row1 * 2**bits``. Times a weight it holds a product of each row, and sums of such
products are sums of each row, as long as the lower one does not reach into the upper one. There are
two ways to keep them apart: long sums of 64 bits (:mod:`.long_sums`, Armv7-M), and products that
are split two by two (:mod:`.split_sums`, any core). A block of rows and outputs shares its loads.
"""
