"""The subject of a report: models and images, opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reportgen.autoencoder import Autoencoder

if TYPE_CHECKING:
    from reportgen.images import ImageSet


@dataclass(frozen=True)
class GivenSets:
    """Things that were opened before the build; None for those that it opens by their path.

    Attributes
    ----------
    images, fit_images : see `Subject`.
    groups : units that move together, by name.
    """

    images: ImageSet | None = None
    fit_images: ImageSet | None = None
    groups: dict[str, tuple[int, ...]] | None = None


@dataclass(frozen=True)
class Subject:
    """Models and images that a report is of.

    Attributes
    ----------
    autoencoder, images : the model and what it is studied on, which it takes.
    title : the heading, where the settings give none.
    command : what the user typed, as printed.
    fit_images : what statistics are fitted on; None for half of the images.
    replicates : other trainings of the model.
    groups : units that move together, by name.
    cache : a folder of codes, or None.
    """

    autoencoder: Autoencoder
    images: ImageSet
    title: str
    command: str
    fit_images: ImageSet | None = None
    replicates: tuple[Autoencoder, ...] = ()
    groups: dict[str, tuple[int, ...]] | None = None
    cache: Path | None = None
