"""A model of several parts → a `Split`: by its methods, its submodules, else its graph's cut."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from reportgen.errors import ModelError
from reportgen.loading.graph.split_program import split_program
from reportgen.loading.modules.model_parts import ModelParts
from reportgen.loading.modules.pair import Pair, SplitPair, try_pair
from reportgen.loading.modules.whole import WholeModel, try_whole
from reportgen.loading.split import Split

PAIRS = (
    ("encode", "decode"),
    ("encoder", "decoder"),
    ("enc", "dec"),
    ("Encoder", "Decoder"),
    ("encoder_net", "decoder_net"),
)
TRIED_IMAGES = 8


def split_parts(
    model: ModelParts,
    sample: Tensor,
    device: str,
    *,
    encoder: str | None = None,
    decoder: str | None = None,
    bottleneck: str | None = None,
) -> Split:
    """Find the encoder and decoder of a model.

    Parameters
    ----------
    model : in evaluation mode, float32, on `device`.
    sample : (n, C, H, W) images on the data's scale.
    encoder, decoder : names of the two, instead of the usual ones.
    bottleneck : cut there, whatever the names are.

    Raises ModelError where it cannot be split, DataError where the images do not fit.
    """
    whole = try_whole(model, sample[:TRIED_IMAGES])
    reasons: list[str] = []
    if bottleneck is None:
        found = find_pair(model, whole, sample, encoder, decoder, reasons)
        if found is not None:
            return found.split(whole)
    if whole.function is None:
        raise ModelError(f"{'; '.join([whole.reason, *reasons])}.")
    program = model.graph(whole.layout.arrange(sample[:2]))
    return split_program(program, sample, device, bottleneck)


def find_pair(
    model: ModelParts,
    whole: WholeModel,
    sample: Tensor,
    encoder: str | None,
    decoder: str | None,
    reasons: list[str],
) -> SplitPair | None:
    """The model's own encoder and decoder, where they reproduce its output; `reasons` says why not.

    Raises ModelError where the two are named and do not fit.
    """
    for pair in _pairs(model, encoder, decoder, reasons):
        found, reason = try_pair(pair, whole, sample[:TRIED_IMAGES])
        if found is not None:
            return found
        reasons.append(reason)
    if encoder is not None or decoder is not None:
        raise ModelError(f"{'; '.join(reasons)}.")
    return None


def _pairs(
    model: ModelParts, encoder: str | None, decoder: str | None, reasons: list[str]
) -> Iterator[Pair]:
    """Pairs that the model has; `reasons` gets a line for each that needs more than one input."""
    named = encoder is not None or decoder is not None
    wanted = ((encoder or "encode", decoder or "decode"),) if named else PAIRS
    for first, second in wanted:
        encode, decode = model.part(first), model.part(second)
        if encode is None or decode is None:
            if named:
                missing = first if encode is None else second
                raise ModelError(
                    f"the model has no method or submodule {missing!r}; its submodules are "
                    f"{', '.join(model.children) or 'none'}."
                )
            continue
        if any(len(model.required(function)) > 1 for function in (encode, decode)):
            reasons.append(f"{first} or {second} needs more than one input")
            continue
        yield Pair(encode, decode, (first, second), model.misfits)
