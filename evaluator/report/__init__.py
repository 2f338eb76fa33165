"""What a person reads at the end: terminal, Markdown, HTML, and every number as JSON."""
