"""What login programs themselves say in the journal, where no audit records tell of logins."""
