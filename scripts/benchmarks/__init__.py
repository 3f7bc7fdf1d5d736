"""How fast the program is, beside what one would otherwise use; `python -m scripts.benchmarks`."""
