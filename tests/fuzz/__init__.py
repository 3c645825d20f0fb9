"""Damaged and hostile files of every format that is read, tried in confined processes."""
