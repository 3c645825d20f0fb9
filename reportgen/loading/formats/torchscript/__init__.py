"""TorchScript archives, scripted or traced. From outside: `read_torchscript`, `script_function`."""

from reportgen.loading.formats.torchscript.parts import read_torchscript, script_function

__all__ = ["read_torchscript", "script_function"]
