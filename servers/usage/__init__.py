"""What a server takes of its machine while it is asked: memory, graphics memory, energy."""
