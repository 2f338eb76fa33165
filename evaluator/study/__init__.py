"""From a study file to a checked study and its ordered requests."""
