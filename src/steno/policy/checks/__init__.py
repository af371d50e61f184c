"""What would let sessions escape on a host, or lock people out of it."""
