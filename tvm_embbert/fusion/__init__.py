"""Row-tiled fusion: chains of steps that run tile by tile, so that what lies between them is small.

``order`` gives orders that the steps may run in, ``uses`` what crosses between parts of an order,
``segments`` divides an order into loops at the least cost within a limit of memory, ``tile``
rewrites the program, and ``fuse`` decides.
"""
