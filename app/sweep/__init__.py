"""Many runs from one command: expanded, run here or as a Slurm array, and compared."""
