"""Every server is tried before the first question."""
