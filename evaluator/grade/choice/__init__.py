"""Read the letter that a reply commits to."""
