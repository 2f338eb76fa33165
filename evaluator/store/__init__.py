"""A run's folder on disk: its journals, facts and proofs."""
