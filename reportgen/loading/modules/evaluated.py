"""A module that runs in evaluation mode, in float32, and is afterwards what it was."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import batchnorm, dropout

from reportgen.loading.modules.held_device import HeldDevice

# What they do in training is no sampling of a code.
_NORMS_AND_DROPOUTS = (batchnorm._NormBase, dropout._DropoutNd, nn.RReLU)


class Evaluated:
    """A module to study.

    It is a copy of the one given, or, where that cannot be copied, that one, which takes up
    evaluation mode within each call and lays it down again. Whatever a call writes into its
    parameters and buffers is taken back after it, until `settle`; after that, only where it was
    seen to write.

    Parameters
    ----------
    given : the module; not copied where `is_ours`, since nobody else holds it.
    device : where it is to run.
    """

    def __init__(self, given: nn.Module, device: str, *, is_ours: bool) -> None:
        self.device = device
        self.module = given if is_ours else _copied(given)
        self._is_borrowed = not is_ours and self.module is given
        self.holds_device = False
        self.writes = False
        if not self._is_borrowed:
            self.module.eval().float().to(device).requires_grad_(False)
        self._runs = _tensors_by_place(self.module, device)
        self._kept = [(*run, run[2].detach().clone()) for run in self._runs]

    @property
    def can_be_changed(self) -> bool:
        """Tell whether the module is ours to store otherwise."""
        return not self._is_borrowed

    def function(self, called: Callable[..., Any]) -> Callable[..., Any]:
        """One of the module's callables, which changes nothing in it."""

        @wraps(called.forward if isinstance(called, nn.Module) else called)
        def run(*given: Any) -> Any:
            with self.running():
                return called(*given)

        return run

    @contextmanager
    def running(self, *, training: bool = False) -> Iterator[nn.Module]:
        """Within this block the module is as it is studied.

        With `training`, in training mode but for its norms and dropouts.
        """
        with ExitStack() as stack:
            if self._is_borrowed:
                stack.enter_context(_lent(self.module, self._runs))
            if training:
                stack.enter_context(_in_training(self.module))
            if self.holds_device:
                stack.enter_context(HeldDevice(self.device))
            if self._kept:
                stack.callback(self._take_back)
            yield self.module

    def hold_device(self) -> bool:
        """Run code that asks for a GPU on the device in use from now on; tell if that is new."""
        is_new = not self.holds_device
        self.holds_device = True
        return is_new

    def settle(self) -> None:
        """Forget what no call has written into."""
        if not self.writes:
            self._kept = []

    def _take_back(self) -> None:
        for part, name, tensor, before in self._kept:
            is_parameter = name in part._parameters
            holder: dict[str, Any] = part._parameters if is_parameter else part._buffers
            if not self._is_borrowed and holder.get(name) is not tensor:
                self.writes = True
                holder[name] = tensor
            if tensor.shape != before.shape or not _same(tensor, before):
                self.writes = True
                tensor.data = before.clone()


def _copied(given: nn.Module) -> nn.Module:
    """A deep copy; the module itself where it holds what cannot be copied.

    The trainer that a module of Lightning holds while it is trained is not copied with it.
    """
    trainer = getattr(given, "_trainer", None)
    try:
        return copy.deepcopy(given, {} if trainer is None else {id(trainer): trainer})
    except Exception:
        # Its own __deepcopy__, or that of anything it holds, may raise what it likes.
        return given


def _same(one: Tensor, other: Tensor) -> bool:
    return torch.equal(torch.nan_to_num(one), torch.nan_to_num(other))


def _tensors_by_place(module: nn.Module, device: str) -> list[tuple[nn.Module, str, Tensor]]:
    """Every parameter and buffer as it is to run, with the submodule and the name that hold it."""
    found = []
    for part in module.modules():
        for name, tensor in (*part._parameters.items(), *part._buffers.items()):
            if tensor is not None:
                wanted = torch.float32 if tensor.is_floating_point() else tensor.dtype
                found.append((part, name, tensor.to(device, wanted)))
    return found


@contextmanager
def _lent(module: nn.Module, runs: list[tuple[nn.Module, str, Tensor]]) -> Iterator[None]:
    """Another's module in evaluation mode, with these tensors; afterwards all as it was."""
    before = [
        (part, dict(vars(part)), dict(part._parameters), dict(part._buffers))
        for part in module.modules()
    ]
    try:
        for part, name, tensor in runs:
            if name in part._parameters:
                part._parameters[name] = nn.Parameter(tensor, requires_grad=False)
            else:
                part._buffers[name] = tensor
        module.eval()
        yield
    finally:
        for part, attributes, parameters, buffers in before:
            vars(part).clear()
            vars(part).update(attributes)
            part._parameters.clear()
            part._parameters.update(parameters)
            part._buffers.clear()
            part._buffers.update(buffers)


@contextmanager
def _in_training(module: nn.Module) -> Iterator[None]:
    flags = [(part, part.training) for part in module.modules()]
    try:
        for part, _ in flags:
            part.training = not isinstance(part, _NORMS_AND_DROPOUTS)
        yield
    finally:
        for part, flag in flags:
            part.training = flag
