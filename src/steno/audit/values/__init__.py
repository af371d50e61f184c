"""What the values in audit records mean: kinds, decoders, tables."""
