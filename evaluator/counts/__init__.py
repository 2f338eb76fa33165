"""Bare counts, correct of total: the side road for results whose answers are not known."""
