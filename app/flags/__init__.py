"""Every flag, once, by section; the command line, flagfiles and --help."""

from app.flags.flag import Flag, as_text
from app.flags.reader import given_names, parse, value_of, without
from app.flags.table import DATA_WAYS, FLAGS_BY_NAME, FREE_FLAGS, SECTIONS
from app.flags.writer import as_flagfile, help_text

__all__ = [
    "DATA_WAYS",
    "FLAGS_BY_NAME",
    "FREE_FLAGS",
    "SECTIONS",
    "Flag",
    "as_flagfile",
    "as_text",
    "given_names",
    "help_text",
    "parse",
    "value_of",
    "without",
]
