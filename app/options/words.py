"""The words of a command line that are no flags."""

STAGES = ("prepare", "train", "test", "metrics", "check", "list", "status")
SWEEP = "sweep"
WORDS = frozenset((*STAGES, SWEEP))
