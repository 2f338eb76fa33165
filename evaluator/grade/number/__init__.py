"""Read the number that a reply commits to."""
