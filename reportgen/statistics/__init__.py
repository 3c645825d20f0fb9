"""Statistics that more than one analysis needs: intervals, PCA, the off-data flag, sketches."""
