"""The host's daemon: it relays all sessions and writes their recordings to the spool."""
