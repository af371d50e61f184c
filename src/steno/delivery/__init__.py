"""Getting recordings off the host: the spool, the upload protocol, and other writers."""
