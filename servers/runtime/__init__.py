"""One module for each kind of server, and the table of them."""
