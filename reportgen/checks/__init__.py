"""Rules that a report's numbers have to keep, and what becomes of each."""
