"""The pages of `docs/reference`, made from the program: from its help, a study's schema, a report's nouns."""
