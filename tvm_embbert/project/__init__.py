"""Projects for boards: made of a compiled model and a template, built, run and validated."""
