"""Models as graphs of operations: measured, cleaned and cut at their bottleneck."""
