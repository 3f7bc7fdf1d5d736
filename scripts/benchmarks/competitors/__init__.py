"""What is timed, each in a process of its own, so that no framework stands in another's way."""
