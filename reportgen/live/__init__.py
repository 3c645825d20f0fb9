"""The decoder as data that the page can run: traced, lowered to a few operators, 16-bit weights."""
