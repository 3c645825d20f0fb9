"""One model on one data set, ready to be asked: rows, codes, statistics, pictures."""
