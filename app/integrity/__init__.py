"""Checksums of the program's own files: how they are made, and how a difference is told."""

NEVER, OPEN, ALWAYS = "never", "open", "always"  # when --verify compares checksums
