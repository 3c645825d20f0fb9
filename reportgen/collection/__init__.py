"""Many reports as a web site: an index with search, trends, and every page."""
