"""The lowered program: kernels, the steps that call them, loops over tiles of rows, buffers."""
