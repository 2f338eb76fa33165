"""A report on bare counts in each of its forms."""
