"""reportgen: what each unit of an image autoencoder contributes, in one self-contained page."""

__version__ = "0.1.0"
