"""What the program says of itself where nothing, or help, is asked for."""

from __future__ import annotations

import sys
from pathlib import Path

MODULE = "python -m app"

HEADLINE = "finescale: deep-learning downscaling of gridded Earth-science data.\n"

USAGE = """\
usage: {program} [prepare|train|test|metrics|report|check|list …] --flagfile=FILE [--flag=value …]
       {program} sweep --flagfile=FILE --sweep='FLAG=VALUE,VALUE;…' [--flag=value …]
       {program} report --save_path=RUN
       {program} report --runs=RUN,RUN,… --save_path=FOLDER
       {program} status FOLDER [FOLDER …]
       {program} init FOLDER --data=FILES --variable=NAME [--flag=value …]
       {program} examples [FOLDER]
       {program} bundle RUN --output=FOLDER
       {program} models FOLDER [FOLDER …]
       {program} cordex TREE [make|describe|train|predict|validate|pack|score|cost]
       {program} completion bash|zsh|fish

Several stages run in that order; train and test prepare the data by themselves. The command
line beats flagfiles. In flagfiles, blank lines, lines that begin with # and text between
triple quotes are skipped.\
"""

SHORT = """\
usage: {program} STAGE [STAGE …] --flag=value …        STAGE: check, train, test, metrics, …

A first run on data that the program makes itself, a few minutes:
  {program} train test metrics --data=synthetic --variable=t2m --scale=4 \\
      --epochs=5 --save_path=runs/first

A flagfile, a data description and a batch script for your own files:
  {program} init mine --data='era5_*.nc' --variable=t2m --static=orography.nc:z --scale=4

Where all runs below a folder stand:
  {program} status runs

More: {program} --help (the flags that most runs need), {program} list (what flags can name).\
"""


def program() -> str:
    """How this program was called: `finescale`, or by its module."""
    name = Path(sys.argv[0]).name
    return name if name == "finescale" else MODULE


def usage() -> str:
    """The head of --help."""
    return f"{HEADLINE}\n{USAGE.format(program=program())}"


def short_usage() -> str:
    """What a command line without any word or flag is answered with."""
    return f"{HEADLINE}\n{SHORT.format(program=program())}"
