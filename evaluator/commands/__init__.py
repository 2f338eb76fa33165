"""What the user types: one file a command. Printing and exit codes are here."""
