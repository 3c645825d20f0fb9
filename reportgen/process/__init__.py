"""What concerns the process and not the work: threads, memory, ranks, progress."""
