"""Statistics: pure functions, each with its source. Importing them loads no scipy."""
