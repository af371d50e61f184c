"""A session's events joined with what was typed and recorded: the tree of commands."""
