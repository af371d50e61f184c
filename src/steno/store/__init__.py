"""Keeping and finding recordings: one protocol, its backends, and the query language."""
