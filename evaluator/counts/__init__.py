"""Bare counts, correct of total: for results whose single answers are not known."""
