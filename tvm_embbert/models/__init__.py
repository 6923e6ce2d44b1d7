"""PyTorch definitions, checkpoints and text."""
