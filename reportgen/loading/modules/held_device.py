"""Runs code that asks for a GPU on the device in use."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class HeldDevice(TorchFunctionMode):
    """Within this block `.cuda()`, `.to("cuda")` and `device="cuda"` mean one device."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self._device = torch.device(device)

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is Tensor.cuda:
            return args[0].to(self._device)
        held = {name: self._held(value) for name, value in (kwargs or {}).items()}
        return func(*(self._held(value, func is Tensor.to) for value in args), **held)

    def _held(self, value: Any, is_place: bool = True) -> Any:
        if isinstance(value, torch.device) and value.type == "cuda":
            return self._device
        if is_place and isinstance(value, str) and value.partition(":")[0] == "cuda":
            return self._device
        return value


def asks_for_gpu(error: BaseException) -> bool:
    """Tell whether an error is about a GPU that is not there, or not in use."""
    said = str(error)
    return any(words in said for words in ("CUDA", "NVIDIA driver", "cuda", "on the same device"))
