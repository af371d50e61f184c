"""Stand-ins for tlog's programs: tlog-rec, tlog-rec-session and tlog-play, on Steno's parts."""
