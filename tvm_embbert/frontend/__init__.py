"""Front ends: into Relax."""
