"""A study file, as nouns and as ordered requests."""
