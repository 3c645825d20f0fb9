"""The functions that Python programs call: `build`, `load`, and the `Report` that they return."""
