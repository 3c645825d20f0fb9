"""Readers of model files: one module or folder for each format."""
