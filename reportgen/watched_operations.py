"""Watching torch's operations while a model runs. Imports torch: import it where it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class WatchedOperations(TorchDispatchMode):
    """A context in which this thread's operations go through `on_operation(name, arguments, run)`.

    That has to return what `run()` gives; the name is without its overload ("sigmoid_").
    """

    def __init__(
        self, on_operation: Callable[[str, tuple[Any, ...], Callable[[], Any]], Any]
    ) -> None:
        super().__init__()
        self._on_operation = on_operation

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise torch imports its compiler, two seconds, for a mode it never compiles.
        return False

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function.overloadpacket.__name__
        return self._on_operation(name, args, lambda: function(*args, **(kwargs or {})))
