"""Events added up: logins, commands, files, addresses."""
