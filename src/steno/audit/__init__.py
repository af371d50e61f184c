"""Audit records to coalesced, decoded events, and those to JSON; rule sets. Does no I/O."""
