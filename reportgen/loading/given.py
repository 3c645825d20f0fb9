"""Models in memory, of any kind, as an `Autoencoder`: modules, functions, transformers, pairs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from reportgen.autoencoder import Autoencoder, Note
from reportgen.errors import DataError, ModelError
from reportgen.loading.assemble import assemble
from reportgen.loading.formats.diffusers_models import DIFFUSERS_SAYS, latents_of
from reportgen.loading.formats.tensors import named_tensors, refuse_not_finite
from reportgen.loading.formats.torchscript import parts_of_script
from reportgen.loading.graph.split_program import GraphModel
from reportgen.loading.image_source import ImageSource
from reportgen.loading.known_scalings import parse_scaling
from reportgen.loading.load import feed_of, other_notes, sample_of, seeded
from reportgen.loading.modules.adapter import Functions, are_functions
from reportgen.loading.modules.module_graph import program_of_export
from reportgen.loading.modules.split_parts import ModuleModel, PartsModel
from reportgen.loading.modules.transformer import Transformer, is_transformer
from reportgen.loading.options import LoadingOptions
from reportgen.loading.scaling import EXPLAINS
from reportgen.loading.split import Model, Split, exact_arithmetic
from reportgen.shown import of_kind

Images = TypeVar("Images", bound=ImageSource)
KINDS = (
    "a torch.nn.Module, functions (encode, decode), a fitted object with transform and "
    "inverse_transform, an object with encode and decode, or the path of a model file"
)


def load_given(
    given: Any,
    candidates: Iterable[Images],
    options: LoadingOptions,
    *,
    as_given: str,
    channels_last: bool = False,
    name: str | None = None,
) -> tuple[Autoencoder, Images]:
    """The `Autoencoder` in what a caller holds, with the first of the images that fit.

    Parameters
    ----------
    given : see `KINDS`. A module is copied, or is changed within each call alone.
    candidates : at least one set of images, in one number of channels or another.
    as_given : `normalize` for a model that takes the images' numbers as they were given. Models
        that are no modules are first tried on those, and take them where nothing fits better.
    channels_last : whether images were given row by row, pixel by pixel.
    name : a short one for headings; None for that of its class.

    Raises ModelError where it is no model, or cannot be split or run; DataError where the images do
    not fit.
    """
    found, kind = _model_of(given, channels_last, options.device)
    is_network = isinstance(found, NETWORKS)
    if is_network:
        if latents_of(given) is not None:
            options = options.completed(DIFFUSERS_SAYS)[0]
    elif options.encoder or options.decoder or options.bottleneck:
        raise ModelError(
            "encoder, decoder and bottleneck name parts of a module, and this model is none."
        )
    refused: DataError | None = None
    for images in candidates:
        feed = feed_of(found, images, options)
        sample = sample_of(images, options, of_class=None if feed is None else feed.usual)
        try:
            with seeded():
                loaded = _loaded(
                    found,
                    sample,
                    options,
                    None if is_network else as_given,
                    name or kind,
                    (Note("format", f"{kind}: {_WORDS[type(found)]}."), *other_notes(options)),
                )
            return loaded if feed is None else feed.conditional(loaded, sample), images
        except DataError as error:
            refused = refused or error
    assert refused is not None, "there is at least one candidate"
    raise refused


# Their pixel scale is looked for as that of a file; others' is first taken to be the images'.
NETWORKS = ModuleModel, PartsModel, GraphModel
_WORDS: dict[type[Model], str] = {
    ModuleModel: "a module in memory",
    PartsModel: "TorchScript in memory",
    GraphModel: "an exported program in memory",
    Functions: "functions that encode and decode",
    Transformer: "an object with transform and inverse_transform",
}


def _model_of(given: Any, channels_last: bool, device: str) -> tuple[Model, str]:
    """The model, and the name of its class. Raises ModelError for what is none."""
    kind = type(given).__name__
    if isinstance(given, type):
        raise ModelError(
            f"model is the class {given.__name__}; give an object of it, trained or fitted."
        )
    if isinstance(given, ExportedProgram):
        refuse_not_finite({**given.state_dict, **given.tensor_constants}.items())
        return GraphModel(program_of_export(given)), kind
    if isinstance(given, nn.Module):
        refuse_not_finite(named_tensors(given).items())
        if isinstance(given, torch.jit.ScriptModule):
            return parts_of_script(given, device), str(given.original_name)
        return ModuleModel(latents_of(given) or given, is_ours=False), kind
    if are_functions(given):
        return Functions(given), "functions"
    if is_transformer(given):
        return Transformer(given, channels_last=channels_last), kind
    if all(callable(getattr(given, name, None)) for name in ("encode", "decode")):
        return Functions((given.encode, given.decode)), kind
    raise ModelError(f"model is {of_kind(given)}{_lack_of(given)}; give {KINDS}.")


def _lack_of(given: Any) -> str:
    """The reason why an object that is near to a model is none, to stand behind its kind."""
    if isinstance(given, Mapping) and _hold_weights(given.values()):
        return " of weights, which say nothing of how they are used: load them into their module"
    if isinstance(getattr(given, "vae", None), nn.Module):
        return ", which holds its autoencoder as vae"
    for has, lacks in (("transform", "inverse_transform"), ("encode", "decode")):
        if callable(getattr(given, has, None)):
            return f", which has {has} and no {lacks}"
    if callable(getattr(given, "predict", None)):
        return ", which predicts and gives no code"
    if isinstance(given, tuple | list) and given:
        return f" of {len(given)}, and not of two or three that can be called"
    return ""


def _hold_weights(values: Iterable[Any]) -> bool:
    """Tell whether a state_dict, or a checkpoint that holds one, has these values."""
    return any(
        isinstance(value, Tensor) or (isinstance(value, Mapping) and _hold_weights(value.values()))
        for value in values
    )


def _loaded(
    model: Model,
    sample: Tensor,
    options: LoadingOptions,
    as_given: str | None,
    name: str,
    notes: tuple[Note, ...],
) -> Autoencoder:
    plain = as_given is not None and options.normalize is None and options.output is None
    said = replace(options, normalize=as_given, output="pixels") if plain else options
    split = model.split(_on_models_scale(sample, said.normalize), options)

    def assembled(chosen: LoadingOptions) -> tuple[Autoencoder, str | None]:
        return assemble(split, sample, chosen, notes=notes, source=None, name=name)

    if plain and _explains(split, sample, said):
        return _with_note(assembled(said)[0])
    found, question = assembled(options)
    if question is None:
        return found
    if not plain:
        raise ModelError(question)
    return _with_note(assembled(said)[0])


def _on_models_scale(sample: Tensor, normalize: str | None) -> Tensor:
    return sample if normalize is None else parse_scaling(normalize, sample).apply(sample)


def _explains(split: Split, sample: Tensor, options: LoadingOptions) -> bool:
    """Tell whether the model explains half of the images' variance on this scale."""
    assert options.normalize is not None
    scaling = parse_scaling(options.normalize, sample)
    with exact_arithmetic(options.device):
        try:
            output = scaling.undo(split.decode(split.encode(scaling.apply(sample))))
        except ModelError:
            return False
    variance = float(sample.var(dim=0, correction=0).mean(dtype=torch.float64))
    error = float((output - sample).square().mean(dtype=torch.float64))
    return error <= (1 - EXPLAINS) * variance


def _with_note(found: Autoencoder) -> Autoencoder:
    text = "The model takes the images' numbers as they were given."
    notes = (note for note in found.notes if note.topic != "scaling")
    return replace(found, notes=(*notes, Note("scaling", text)))
