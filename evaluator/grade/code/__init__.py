"""Put together the program that a reply amounts to."""
