"""Tuning: search the choices that kernels leave open by measuring them where they will run."""
