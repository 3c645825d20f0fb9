"""The job in a process of its own that can read the inputs and do nothing else."""
