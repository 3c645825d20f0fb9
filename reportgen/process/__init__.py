"""The process that runs the work: its threads, its memory, its ranks and its progress."""
