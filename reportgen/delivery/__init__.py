"""Writing files whole or not at all, and the page as PDF."""
