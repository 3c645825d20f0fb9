"""Models as Python code, split into the part that encodes and the part that decodes."""
