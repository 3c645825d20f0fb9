"""Watching torch's operations while a model runs. Imports torch: import it where it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

OnOperation = Callable[[str, tuple[Any, ...], Callable[[], Any]], Any]


class UncompiledMode(TorchDispatchMode):
    """A context that sees this thread's operations without making torch import its compiler."""

    def __init__(self) -> None:
        # By name: of super() mypy does not see that it is torch's, which has no types.
        TorchDispatchMode.__init__(self)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise torch imports it, one to two seconds, for a mode that it never compiles.
        return False


class WatchedOperations(UncompiledMode):
    """A context in which this thread's operations go through `on_operation(name, arguments, run)`.

    `on_operation` has to return what `run()` gives. The name is the operation's without its
    overload, such as "sigmoid_".
    """

    def __init__(self, on_operation: OnOperation) -> None:
        super().__init__()
        self._on_operation = on_operation

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = function.overloadpacket.__name__
        return self._on_operation(name, args, lambda: function(*args, **(kwargs or {})))


class WatchedCalls(TorchFunctionMode):
    """`WatchedOperations` of torch's Python functions, each of which may run many operations.

    It costs a tenth of what `WatchedOperations` costs. Operations inside compiled parts are not
    seen. Arguments are the positional ones.
    """

    def __init__(self, on_operation: OnOperation) -> None:
        super().__init__()
        self._on_operation = on_operation

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        called = getattr(function, "overloadpacket", function)
        name = getattr(called, "__name__", "")
        return self._on_operation(name, args, lambda: function(*args, **(kwargs or {})))
