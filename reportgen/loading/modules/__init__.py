"""An author's class is split into what encodes and what decodes."""
