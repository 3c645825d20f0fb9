"""`python -m reportgen` is the `reportgen` command."""

from reportgen.command.cli import main

if __name__ == "__main__":
    main()
