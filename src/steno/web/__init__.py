"""The HTTP API, sign-in, permissions and the built front end."""
