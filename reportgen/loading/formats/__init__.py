"""Bytes become a model; one module or folder for each format."""
