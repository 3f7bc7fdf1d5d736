"""What operates a run: its folder and files, status, locks, guard, disk space."""
