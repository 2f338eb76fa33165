"""From graded answers to a verdict and its words."""
