"""Every forward of the program."""
