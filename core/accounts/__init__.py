"""Who may log in: people and their rights, passwords, sessions, known devices, guessing, one-time
links."""
