"""One file a runtime, and the table of them."""
