"""Benchmarks; freed memory is kept as the command keeps it."""

from reportgen.process.heap import reuse_freed_memory

reuse_freed_memory()
