"""From what a model wrote to an outcome."""
