"""The kernel's audit rules: levels, sets, auditctl's words."""
