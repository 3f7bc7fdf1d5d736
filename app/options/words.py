"""The words of a command line that are no flags."""

STAGES = ("prepare", "train", "test", "metrics", "report", "check", "list", "status")
SWEEP = "sweep"
# What stands by itself, with words of its own behind it.
COMMANDS = ("init", "examples", "bundle", "models", "cordex", "completion")
WORDS = frozenset((*STAGES, SWEEP, *COMMANDS))
