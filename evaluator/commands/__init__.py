"""The commands, one file each: they print, and choose the exit code."""
