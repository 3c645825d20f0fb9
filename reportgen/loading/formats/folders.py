"""Folders that diffusers and pythae write: a configuration in JSON, and weights beside it."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.module import register_module_module_registration_hook

from reportgen.autoencoder import Note
from reportgen.errors import ModelError
from reportgen.loading.formats.diffusers_models import DIFFUSERS_CLASSES, latents_of
from reportgen.loading.formats.fitting import load_into
from reportgen.loading.formats.restricted_pickle import load_restricted
from reportgen.loading.formats.sniff import ModelFormat, sniff
from reportgen.loading.formats.weights import find_weights, read_safetensors
from reportgen.loading.graph.memory_limit import memory_limit
from reportgen.loading.sentences import refusing
from reportgen.shown import quoted

CONFIG_LIMIT = 1 << 20
MOST_MODULES = 10_000
DIFFUSERS_WEIGHTS = (
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.bin",
    "model.safetensors",
)


def read_diffusers(folder: Path) -> tuple[nn.Module, tuple[Note, ...]]:
    """A folder that `save_pretrained` of a diffusers autoencoder wrote.

    Raises ModelError where diffusers is not installed, or the folder is not whole.
    """
    config = read_config(folder / "config.json")
    name = config.get("_class_name")
    if name not in DIFFUSERS_CLASSES:
        raise ModelError(
            f"{folder} holds a {name} of diffusers, which is no autoencoder that is known here; "
            f"known are {', '.join(DIFFUSERS_CLASSES)}."
        )
    diffusers = _imported("diffusers", folder)
    model_class = getattr(diffusers, name)
    with _without_warnings("diffusers"):
        module = _build(folder, lambda: model_class.from_config(config))
    weights, file = _weights_in(folder, DIFFUSERS_WEIGHTS)
    weights = dict(weights)
    with refusing(Exception, f"{file}: diffusers cannot rename its weights (<kind>: <reason>)."):
        # Attention was saved under other names by older versions.
        rename: Any = getattr(module, "_fix_state_dict_keys_on_load", None)
        if rename is not None:
            rename(weights)
    load_into(folder, module, weights)
    notes = (Note("weights", f"The weights are those of {file.name}."),)
    return latents_of(module) or module, notes


def latent_scale_notes(folder: Path) -> tuple[Note, ...]:
    """Notes of how diffusers' pipelines scale this autoencoder's codes, unlike its own methods.
    A pipeline's latent is (code − shift_factor) · scaling_factor, or standardised by channel, and
    is taken back once before it is decoded. Raises ModelError where there is no configuration.
    """
    config = read_config(folder / "config.json")
    steps = []
    if config.get("latents_mean") and config.get("latents_std"):
        steps.append("standardise it with latents_mean and latents_std")
    shift, scale = config.get("shift_factor"), config.get("scaling_factor")
    if isinstance(shift, int | float) and shift != 0:
        steps.append(f"subtract {shift:g} (shift_factor)")
    if isinstance(scale, int | float) and scale != 1:
        steps.append(f"multiply it by {scale:g} (scaling_factor)")
    if not steps:
        return ()
    text = (
        "The code is what the autoencoder's own encode gives and its decode takes. Pipelines of "
        f"diffusers {' and '.join(steps)} for their diffusion model, and take that back before "
        "they decode; only numbers in code units would differ."
    )
    return (Note("latents", text),)


def read_pythae(folder: Path) -> tuple[nn.Module, tuple[Note, ...]]:
    """A folder that pythae's trainer wrote, with an architecture of pythae's own.

    Raises ModelError where pythae is not installed, or its networks are pickled beside.
    """
    config = read_config(folder / "model_config.json")
    pickled = [path.name for path in folder.glob("*.pkl")]
    if pickled:
        raise ModelError(
            f"{folder} holds networks of your own as the pickle {pickled[0]}, which could run "
            "code; give their weights in model.pt with --model-class."
        )
    models = _imported("pythae.models", folder)
    # VAEConfig belongs to VAE, and WAE_MMD_Config to WAE_MMD.
    known = {
        name: name.removesuffix("Config").rstrip("_")
        for name in dir(models)
        if name.endswith("Config") and hasattr(models, name.removesuffix("Config").rstrip("_"))
    }
    name = str(config.get("name"))
    if name not in known:
        raise ModelError(
            f"{folder} holds a {name} of pythae; known are {', '.join(known.values())}."
        )
    config_class, model_class = getattr(models, name), getattr(models, known[name])
    module = _build(folder, lambda: model_class(config_class.from_dict(config)))
    load_into(folder, module, _weights_in(folder, ("model.pt",))[0])
    return _WithPlainForward(module), ()


def _imported(name: str, folder: Path) -> ModuleType:
    """Import a library that reportgen does not depend on. Raises ModelError where it is missing."""
    library = name.partition(".")[0]
    with refusing(
        ImportError,
        f"{folder} is a model of {library}, which is not installed here (<reason>); install it "
        f"with pip install {library}.",
    ):
        return importlib.import_module(name)


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises ModelError where there is none."""
    with refusing(
        (OSError, ValueError, RecursionError),
        f"{path} is missing or damaged (<reason>); save the model again.",
    ):
        if path.stat().st_size > CONFIG_LIMIT:
            raise ModelError(f"{path} is too large for a configuration; refused.")
        found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ModelError(f"{path} holds no configuration; save the model again.")
    return found


@contextlib.contextmanager
def _without_warnings(library: str) -> Iterator[None]:
    """Silence a library's warnings of entries that it wrote into its own configurations."""
    logger = logging.getLogger(library)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _build(folder: Path, construct: Callable[[], nn.Module]) -> nn.Module:
    # The library checks its own configuration, and raises what it likes.
    with (
        refusing(
            Exception,
            f"{folder}: its configuration does not make a model (<kind>: <reason>); save it again "
            "with the installed version.",
        ),
        memory_limit(),
        _few_modules(),
    ):
        return construct()


@contextlib.contextmanager
def _few_modules() -> Iterator[None]:
    """Within this block, no more modules are made than any autoencoder has.

    A configuration may ask for 10³⁰ layers. Raises ModelError for the first one too many.
    """
    count = itertools.count(1)

    def counted(module: nn.Module, name: str, child: nn.Module | None) -> None:
        if next(count) > MOST_MODULES:
            raise ModelError(f"it asks for more than {MOST_MODULES:,} modules")

    hook = register_module_module_registration_hook(counted)
    try:
        yield
    finally:
        hook.remove()


def _weights_in(folder: Path, names: tuple[str, ...]) -> tuple[Mapping[str, Tensor], Path]:
    """Weights under one of these names, whole or in shards, else of a variant such as fp16.

    Also the file that holds or lists them.
    """
    for name in names:
        stem, dot, ending = name.rpartition(".")
        path = folder / name
        variants = sorted(folder.glob(f"{stem}.*{dot}{ending}"))
        # A shard's name has its number behind the stem and a dash; a variant's has it not.
        for whole in (path, *(other for other in variants if "-of-" not in other.name)):
            if whole.is_file():
                return _weights_of(whole), whole
        for index in (folder / f"{name}.index.json", *sorted(folder.glob(f"{stem}*.index*.json"))):
            if index.is_file():
                return _weights_in_shards(index), index
    raise ModelError(f"{folder} holds no weights ({' or '.join(names)}); save the model again.")


def _weights_of(path: Path) -> Mapping[str, Tensor]:
    kind = sniff(path)
    if kind is ModelFormat.SAFETENSORS:
        return read_safetensors(path)
    if kind in (ModelFormat.TORCH_SAVE, ModelFormat.LEGACY_TORCH_SAVE):
        loaded = load_restricted(path, {}, is_zip=kind is ModelFormat.TORCH_SAVE)
        return find_weights(path, loaded)[0].state
    raise ModelError(f"{path} holds no weights; save the model again.")


def _weights_in_shards(index: Path) -> Mapping[str, Tensor]:
    listed = read_config(index).get("weight_map")
    names = list(listed.values()) if isinstance(listed, Mapping) else []
    # A name in a file from elsewhere must not lead out of the folder.
    if not names or not all(isinstance(n, str) and Path(n).name == n for n in names):
        raise ModelError(f"{index} lists no shards of weights; save or download the model again.")
    weights: dict[str, Tensor] = {}
    for name in dict.fromkeys(names):
        shard = index.parent / name
        # Of a name that no file can have, pathlib raises errors of its own.
        if not os.path.isfile(shard):  # noqa: PTH113
            raise ModelError(f"{index} lists {quoted(name)}, which is not there; download it too.")
        weights |= _weights_of(shard)
    return weights


class _WithPlainForward(nn.Module):
    """A pythae model that takes images in place of its dictionary."""

    model: Any

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.encoder = model.encoder
        self.decoder = model.decoder

    def forward(self, images: Tensor) -> Tensor:
        reconstructions: Tensor = self.model({"data": images}).recon_x
        return reconstructions
