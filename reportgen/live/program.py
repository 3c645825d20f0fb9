"""A decoder as a list of typed steps, and all else that a live walk needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import ImageArray

# Of values and lengths over the fit rows, as the sliders mark them.
LEVELS = (0.01, 0.25, 0.5, 0.75, 0.99)


class NotLiveError(Exception):
    """An error for a decoder that the page cannot run; its sentence says why."""


@dataclass(frozen=True)
class Step:
    """One operation on arrays in row-major order, for one code.

    Attributes
    ----------
    operator : one of the names that `templates/assets/live.js` implements.
    inputs : earlier arrays by place: 0 is the code, n the result of step n − 1.
    shape : of the result, without the batch.
    numbers : the operator's settings, by name.
    weights : the operator's constants, by name: offset and count in `LiveDecoder.weights`.
    """

    operator: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    numbers: dict[str, tuple[float, ...]]
    weights: dict[str, tuple[int, int]]


@dataclass(frozen=True)
class LiveDecoder:
    """A decoder that the page can run; the last step's result is the image, flattened.

    Attributes
    ----------
    steps : in order.
    weights : (n,) float16, all constants one after the other.
    multiplications : of one image, in convolutions and linear layers.
    largest_error : largest |pixel with 16-bit weights − pixel| / pixel range, over `checked` codes
        of real images.
    """

    steps: tuple[Step, ...]
    weights: ImageArray
    multiplications: int
    largest_error: float
    checked: int


@dataclass(frozen=True)
class LiveEncoder:
    """An encoder that the page can run; the last step's result is the code, flattened.

    Attributes
    ----------
    steps, weights : as in `LiveDecoder`; places of constants are those in its own weights.
    largest_error : largest |number of a code with 16-bit weights − number| / its sd, over `checked`
        real images.
    """

    steps: tuple[Step, ...]
    weights: ImageArray
    largest_error: float
    checked: int


@dataclass(frozen=True)
class NearCodes:
    """Squared Mahalanobis distances of the codes around n real ones, which move along m steps.

    After moves δ from the k-th code the distance is
    distances[k] + 2 slopes[k]·δ + δᵀ precision δ.

    Attributes
    ----------
    distances : (n,) of the codes themselves.
    slopes : (n, m) half the derivative by each move.
    precision : (m, m).
    """

    distances: ImageArray
    slopes: ImageArray
    precision: ImageArray


@dataclass(frozen=True)
class LiveUnits:
    """Units, or groups of them, whose contributions the page computes.

    Attributes
    ----------
    names, units : by share, largest first; "rest" and −1 for the weakest as one, which come last.
    members : the coordinates of the flattened code that move with each.
    orders : (n, players) for each image of the gallery, in which order they move on its path.
    """

    names: tuple[str, ...]
    units: tuple[int, ...]
    members: tuple[tuple[int, ...], ...]
    orders: ImageArray


@dataclass(frozen=True)
class LiveLengths:
    """Lengths along d directions, by which the page moves a code: a step of one sd is drawn_j.

    Attributes
    ----------
    baseline : (d,) length of z0; a code's is ((z − z0)[coordinates] @ readout)_j more.
    means : (d,) over the fit rows.
    quantiles : (d, 5) at `LEVELS`, over the fit rows.
    near : where the gallery has no cloud, distances around its images' codes.
    """

    baseline: np.ndarray
    means: np.ndarray
    quantiles: np.ndarray
    near: NearCodes | None


@dataclass(frozen=True)
class LiveDirections:
    """Directions of the code whose contributions the page computes, and what they leave, "rest".

    The part of z − z0 along direction j is ((z − z0)[coordinates] @ readout)_j drawn_j.

    Attributes
    ----------
    names : in the order in which they were found; "rest" comes last.
    coordinates : (m,) the numbers of the code that they mix.
    readout : (m, d); drawn : (d, m).
    orders : (n, d + 1) as in `LiveUnits`.
    lengths : what sliders along them need.
    """

    names: tuple[str, ...]
    coordinates: tuple[int, ...]
    readout: ImageArray
    drawn: ImageArray
    orders: ImageArray
    lengths: LiveLengths | None = None


@dataclass(frozen=True)
class CloudOfCodes:
    """The cloud of real codes, from which the distance of any code is measured.

    Attributes
    ----------
    members : the coordinates of each of m live units, whose mean is its value.
    mean : (m,) of these values; precision : (m, m) their inverse covariance.
    """

    members: tuple[tuple[int, ...], ...]
    mean: np.ndarray
    precision: ImageArray


@dataclass(frozen=True)
class GalleryComponents:
    """Principal components, by which the page takes the gallery's images apart as well.

    Attributes
    ----------
    mean : (p,) the mean image; components : (k, p) all that the report holds the model beside, as
        pictures.
    scores : (n, k) of each image.
    """

    mean: ImageArray
    components: ImageArray
    scores: ImageArray


@dataclass(frozen=True)
class Gallery:
    """Test images that the page explains by itself, on demand.

    Attributes
    ----------
    names, classes : of n images, those of the picture rows first; classes are "" where unlabelled.
    pictured : how many of them are picture rows.
    test_images : how many there are in the test half.
    codes : (n, code_size).
    thumbnail_shape : (C, h, w) of the small pictures; thumbnails : (n, C·h·w) the images, 0 to 255
        over the pixel range.
    baseline : (code_size,) z0.
    steps : of a path in the page.
    units, directions : the players; None where directions are not known or too large for a page.
    directions_lead : whether an image is shown by direction first.
    cloud : None where the code has too many live units for a page.
    near : without it, distances around the images' codes as the walked units move.
    pca : None where its components are too large for a page.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    pictured: int
    test_images: int
    codes: ImageArray
    thumbnail_shape: tuple[int, int, int]
    thumbnails: ImageArray
    baseline: ImageArray
    steps: int
    units: LiveUnits
    directions: LiveDirections | None
    directions_lead: bool
    cloud: CloudOfCodes | None
    near: NearCodes | None = None
    pca: GalleryComponents | None = None


@dataclass(frozen=True)
class LiveWalk:
    """Everything that the live walk needs.

    Attributes
    ----------
    decoder : the decoder's steps and weights.
    units, names : the units that have a slider, by share, as in `Traversal`.
    members : the coordinates of the flattened code that move with each of them.
    codes : (rows, code_size) codes of the walk rows, in the order of `Traversal.rows`.
    means : (units,) over the fit rows.
    quantiles : (units, 5) at `LEVELS`, over the fit rows.
    distances : (rows,) squared Mahalanobis distance of each row's code.
    slopes : (rows, units) half the derivative of that distance by each unit's value.
    precision : (units, units) of the moved units, given that the others stay: for a move δ the
        distance is distances + 2 slopes·δ + δᵀ precision δ.
    largest_distance : above it a code is off data; NaN where no unit varies.
    gallery : the images that the page explains; None where it carries none.
    encoder : the encoder for a reader's own images; where it is None, `encoder_reason` says why.
    """

    decoder: LiveDecoder
    units: tuple[int, ...]
    names: tuple[str, ...]
    members: tuple[tuple[int, ...], ...]
    codes: ImageArray
    means: np.ndarray
    quantiles: np.ndarray
    distances: np.ndarray
    slopes: np.ndarray
    precision: np.ndarray
    largest_distance: float
    gallery: Gallery | None = None
    encoder: LiveEncoder | None = None
    encoder_reason: str = ""
