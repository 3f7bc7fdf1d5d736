"""One thin module per stage of the command line."""
