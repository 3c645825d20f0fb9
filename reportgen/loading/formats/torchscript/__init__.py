"""TorchScript archives, scripted or traced. The door from outside: the names below."""

from reportgen.loading.formats.torchscript.parts import (
    parts_of_script,
    read_torchscript,
    script_function,
)

__all__ = ["parts_of_script", "read_torchscript", "script_function"]
