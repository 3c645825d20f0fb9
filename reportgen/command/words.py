"""Prints the table of the verdict's words that docs/methods.md holds."""

from reportgen.report.words import words_table
from reportgen.settings import Settings

if __name__ == "__main__":
    print(words_table(Settings()), end="")
