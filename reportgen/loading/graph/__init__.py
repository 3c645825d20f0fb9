"""A graph of operations is cut at its bottleneck."""
