"""Terminal emulation: screen text, keyframes and commands from recorded output."""
