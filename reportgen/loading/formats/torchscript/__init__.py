"""TorchScript archives, scripted or traced. From outside: `read_torchscript`."""

from reportgen.loading.formats.torchscript.parts import read_torchscript

__all__ = ["read_torchscript"]
