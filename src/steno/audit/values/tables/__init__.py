"""What numbers in audit records stand for; generated."""
