"""What keeps the place running: commands, workers and who watches them, backups, restored
databases, seeds."""
