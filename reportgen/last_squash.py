"""A decoder that stops before its last Sigmoid, Tanh or Softplus.

The input of that operation is taken where it runs, by watching the operations of one decode. It is
only used when the operation is the last thing that happens to every pixel: its output must be the
image up to a scale and an offset, to 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reportgen.autoencoder import Autoencoder

if TYPE_CHECKING:
    from torch import Tensor

TOLERANCE = 1e-6


@dataclass(frozen=True)
class LastSquash:
    """The operation's name ("sigmoid", "tanh", "softplus") and an autoencoder without it.

    The autoencoder's `decode` gives pre-activations, (n, C, H, W), in place of pixels; it has no
    encoder of its own.
    """

    name: str
    autoencoder: Autoencoder


def find_last_squash(autoencoder: Autoencoder, codes: Tensor) -> LastSquash | None:
    """Watch a decode of `codes` (n, *code_shape); None where no squash is the last operation."""
    images, seen = _watched(autoencoder.decode, codes)
    if seen is None or not _is_last(seen[2], images):
        return None
    shape = autoencoder.input_shape

    def decode(codes: Tensor) -> Tensor:
        _, found = _watched(autoencoder.decode, codes)
        assert found is not None, "the same decoder squashed its output before"
        return found[1].reshape(len(codes), *shape)

    return LastSquash(seen[0], replace(autoencoder, decode=decode, forward=None))


def _watched(
    decode: Callable[[Tensor], Tensor], codes: Tensor
) -> tuple[Tensor, tuple[str, Tensor, Tensor] | None]:
    """The images, and name, input and output of the last squash on the way to them."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    names = {"sigmoid", "sigmoid_", "tanh", "tanh_", "softplus"}
    last: list[tuple[str, Tensor, Tensor]] = []

    class Watch(TorchDispatchMode):
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            # Otherwise torch imports its compiler, two seconds, for a mode it never compiles.
            return False

        def __torch_dispatch__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            name = function.overloadpacket.__name__
            before = args[0].clone() if name in names else None
            output = function(*args, **(kwargs or {}))
            if before is not None:
                last[:] = [(name.rstrip("_"), before, output.clone())]
            return output

    with torch.inference_mode(), Watch():
        images = decode(codes)
    return images, last[0] if last else None


def _is_last(squashed: Tensor, images: Tensor) -> bool:
    """Whether images are a·squashed + b, pixel by pixel."""
    if squashed.numel() != images.numel():
        return False
    x, y = squashed.reshape(-1).double(), images.reshape(-1).double()
    spread = x - x.mean()
    if float(spread.abs().max()) == 0:
        return False
    slope = (spread * (y - y.mean())).sum() / (spread * spread).sum()
    missed = (y - y.mean() - slope * spread).abs().max()
    return float(missed) <= TOLERANCE * float((y.max() - y.min()).clamp_min(1e-30))
