"""Recordings by mail when they have ended."""
