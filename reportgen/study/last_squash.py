"""A decoder that stops before its last Sigmoid, Tanh or Softplus.

The input of that operation is taken where it runs, by watching the operations of one decode. It is
only used when the operation is the last thing that happens to every pixel: its output must be the
image up to a scale and an offset, to 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from reportgen.autoencoder import Autoencoder

if TYPE_CHECKING:
    from torch import Tensor

    from reportgen.process.watched_operations import WatchedCalls, WatchedOperations

TOLERANCE = 1e-6
WATCHED = 16
WATCHED_PIXELS = 2**19


@dataclass(frozen=True)
class LastSquash:
    """A decoder's last operation, and decoders that stop before it.

    Attributes
    ----------
    name : of the operation: "sigmoid", "tanh" or "softplus".
    before : its `decode` gives pre-activations, (n, C, H, W), in place of pixels.
    both : its `decode` gives (n, 2C, H, W), pre-activations and then pixels, of one forward, and
        its `encode` takes such images.
    """

    name: str
    before: Autoencoder
    both: Autoencoder


def find_last_squash(autoencoder: Autoencoder, codes: np.ndarray) -> LastSquash | None:
    """Watch a decode of some codes (n, code_size); None where no squash is the last operation."""
    import torch

    from reportgen.process.watched_operations import WatchedCalls, WatchedOperations

    watched = np.clip(WATCHED_PIXELS // np.prod(autoencoder.input_shape), 2, WATCHED)
    some = torch.from_numpy(codes[:watched].reshape(-1, *autoencoder.decoded_shape))
    some = some.to(autoencoder.device)
    images, seen = _watched(autoencoder.decode, some, WatchedOperations, keep_output=True)
    if seen is None or not _is_last(seen[2], images):
        return None
    watch = WatchedCalls if _is_called(autoencoder, some, seen) else WatchedOperations
    channels, height, width = autoencoder.input_shape

    def outputs(codes: Tensor) -> tuple[Tensor, Tensor]:
        images, found = _watched(autoencoder.decode, codes, watch)
        assert found is not None, "the same decoder squashed its output before"
        return found[1].reshape(len(codes), channels, height, width), images

    def both(codes: Tensor) -> Tensor:
        import torch

        return torch.cat(outputs(codes), dim=1)

    return LastSquash(
        seen[0],
        before=replace(autoencoder, decode=lambda codes: outputs(codes)[0], forward=None),
        both=replace(
            autoencoder,
            encode=_of_pixels(autoencoder.encode, channels),
            decode=both,
            forward=None,
            input_shape=(2 * channels, height, width),
        ),
    )


def _of_pixels(function: Callable[..., Tensor], channels: int) -> Callable[..., Tensor]:
    """The same function, given the last C of the 2C channels of (n, 2C, H, W)."""
    return lambda both, *labels: function(both[:, channels:], *labels)


def _is_called(autoencoder: Autoencoder, codes: Tensor, seen: tuple[str, Tensor, Tensor]) -> bool:
    """Tell whether Python calls the squash that was seen, so that it is seen for any codes.

    In a graph it is the same operator for all codes; an author's own code may do as it likes.
    """
    import torch

    from reportgen.process.watched_operations import WatchedCalls

    if not autoencoder.concurrent:
        return False
    _, called = _watched(autoencoder.decode, codes, WatchedCalls)
    return called is not None and called[0] == seen[0] and torch.equal(called[1], seen[1])


def _watched(
    decode: Callable[[Tensor], Tensor],
    codes: Tensor,
    watch: type[WatchedOperations] | type[WatchedCalls],
    *,
    keep_output: bool = False,
) -> tuple[Tensor, tuple[str, Tensor, Tensor] | None]:
    """The images, and name, input and output of the last squash on the way to them.

    The output is as the decoder left it, with whatever was written into it later; `keep_output`
    keeps it as the squash made it.
    """
    import torch

    names = {"sigmoid", "sigmoid_", "tanh", "tanh_", "softplus"}
    last: list[tuple[str, Tensor, Tensor]] = []

    def keep(name: str, arguments: tuple[Any, ...], run: Callable[[], Any]) -> Any:
        if name not in names or not arguments:
            return run()
        before, output = arguments[0].clone(), run()
        last[:] = [(name.rstrip("_"), before, output.clone() if keep_output else output)]
        return output

    with torch.inference_mode(), watch(keep):
        images = decode(codes)
    return images, last[0] if last else None


def _is_last(squashed: Tensor, images: Tensor) -> bool:
    """Tell whether images are a·squashed + b, with one a and one b for all pixels."""
    if squashed.numel() != images.numel():
        return False
    x, y = squashed.reshape(-1).double(), images.reshape(-1).double()
    spread = x - x.mean()
    if float(spread.abs().max()) == 0:
        return False
    slope = (spread * (y - y.mean())).sum() / (spread * spread).sum()
    missed = (y - y.mean() - slope * spread).abs().max()
    return float(missed) <= TOLERANCE * float((y.max() - y.min()).clamp_min(1e-30))
