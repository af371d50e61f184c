"""Taking recordings in over HTTP, and deriving what is searched and shown."""
