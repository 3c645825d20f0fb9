"""Two or more reports beside each other: what can be compared, what differs, which units match."""
