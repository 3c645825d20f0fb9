"""From results to files: the page, results.json and results.npz."""
