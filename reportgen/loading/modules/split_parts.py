"""A model of several parts → a `Split`: by its methods, its submodules, else its graph's cut."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from reportgen.errors import ModelError
from reportgen.loading.graph.split_program import split_program
from reportgen.loading.modules.memory_format import prefer_channels_last
from reportgen.loading.modules.model_parts import ModelParts, parts_of_module
from reportgen.loading.modules.pair import Pair, SplitPair, try_pair
from reportgen.loading.modules.whole import WholeModel, try_whole
from reportgen.loading.options import LoadingOptions
from reportgen.loading.split import Model, Split

PAIRS = (
    ("encode", "decode"),
    ("encoder", "decoder"),
    ("enc", "dec"),
    ("Encoder", "Decoder"),
    ("encoder_net", "decoder_net"),
)
TRIED_IMAGES = 8


class PartsModel(Model):
    """A model as callables that are no module's, such as TorchScript's."""

    def __init__(self, parts: ModelParts, parameters: int) -> None:
        self._parts = parts
        self.parameters = parameters

    def split(self, sample: Tensor, options: LoadingOptions) -> Split:
        """Split the model; see `split_parts`."""
        return split_parts(self._parts, sample, options)


class ModuleModel(Model):
    """A module, in Python."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        tensors = (*module.parameters(), *module.buffers())
        self.parameters = sum(tensor.numel() for tensor in tensors)

    def split(self, sample: Tensor, options: LoadingOptions) -> Split:
        """Split the module, put in evaluation mode and float32, without gradients."""
        module = self._module.eval().float().to(options.device).requires_grad_(False)
        split = split_parts(parts_of_module(module), sample, options)
        prefer_channels_last(module, split, sample[:4], options.device)
        return split


def split_parts(model: ModelParts, sample: Tensor, options: LoadingOptions) -> Split:
    """Find the encoder and decoder of a model.

    Parameters
    ----------
    model : in evaluation mode, float32, on the device that `options` name.
    sample : (n, C, H, W) images on the data's scale.
    options : `encoder` and `decoder` name the two, instead of the usual names; at `bottleneck` it
        is cut, whatever the names are.

    Raises ModelError where it cannot be split, DataError where the images do not fit.
    """
    whole = try_whole(model, sample[:TRIED_IMAGES])
    reasons: list[str] = []
    if options.bottleneck is None:
        found = find_pair(model, whole, sample, options, reasons)
        if found is not None:
            return found.split(whole)
    if whole.function is None:
        raise ModelError(f"{'; '.join([whole.reason, *reasons])}.")
    program = model.graph(whole.layout.arrange(sample[:2]))
    return split_program(program, sample, options.device, options.bottleneck)


def find_pair(
    model: ModelParts,
    whole: WholeModel,
    sample: Tensor,
    options: LoadingOptions,
    reasons: list[str],
) -> SplitPair | None:
    """Find the model's own encoder and decoder, which must reproduce its output; None if none do.

    `reasons` gets the reasons why not.

    Raises ModelError where the two are named and do not fit.
    """
    for pair in _pairs(model, options, reasons):
        found, reason = try_pair(pair, whole, sample[:TRIED_IMAGES])
        if found is not None:
            return found
        reasons.append(reason)
    if options.encoder or options.decoder:
        raise ModelError(f"{'; '.join(reasons)}.")
    return None


def _pairs(model: ModelParts, options: LoadingOptions, reasons: list[str]) -> Iterator[Pair]:
    """Pairs that the model has; `reasons` gets a line for each that needs more than one input."""
    named = bool(options.encoder or options.decoder)
    wanted = ((options.encoder or "encode", options.decoder or "decode"),) if named else PAIRS
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
