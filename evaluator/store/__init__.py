"""What is on disk: a run's folder, its journals, facts and proofs."""
