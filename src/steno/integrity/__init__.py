"""Chains of lines: how a change to a recording is noticed."""
