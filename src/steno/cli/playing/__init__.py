"""Playing recordings in a terminal: the clock, the keys, what is drawn, and where it is from."""
