"""The files that are made of results: the page, results.json and results.npz."""
