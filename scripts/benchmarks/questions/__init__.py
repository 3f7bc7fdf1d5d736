"""A module a question: `run(options)` gives tables."""
