"""The audit trail as it happens: from auditd's dispatcher, or the journal, into the spool."""
