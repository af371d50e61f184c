"""Who is recorded, and how: the policy file, accounts, and the shells that sessions get."""
