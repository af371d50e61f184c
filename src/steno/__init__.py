"""Steno records terminal sessions, keeps them tamper-evident, finds and replays them."""

__version__ = "0.1.0"
