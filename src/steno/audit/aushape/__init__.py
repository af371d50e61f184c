"""aushape's JSON and XML."""
