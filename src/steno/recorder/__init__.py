"""The relay between a terminal and a shell, and what it records."""
