"""The audit log: append, recover, verify, show."""
