"""Where a recorder's lines go beside the spool: files, syslog, the journal."""
