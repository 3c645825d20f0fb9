"""Images that a caller holds: arrays, tensors, data sets, data loaders, lists of pictures."""
