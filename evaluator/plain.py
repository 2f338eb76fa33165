"""Text from servers, models and files is made harmless for a terminal before it is shown."""


def plain(text: str) -> str:
    """Strip control characters; line ends stay."""
    return "".join(c for c in text if c.isprintable() or c == "\n")
