"""Which words does a discrete code use, and what does each paint?

In a VQ-VAE (van den Oord et al., 2017) each site of the code holds one word of a book. Words are
then what a code is made of: between two words there is nothing, so that paths and walks, which
move numbers, lead through codes that hold no words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reportgen.analyses import DoesNotApplyError, ImageArray
from reportgen.statistics.bootstrap import Estimate
from reportgen.statistics.norms import squared_norms
from reportgen.study.study import Study

MOST_PAINTED = 32


@dataclass(frozen=True)
class CodeBook:
    """Words of the code book over the images, and the patches beneath the sites that hold them.

    Attributes
    ----------
    words : in the book; length : floats in each; sites : of a code, each of which holds one word.
    counts : (words,) sites of test images that hold each.
    perplexity : exp of the entropy of `counts`: as many words as would be used if all were equally.
    unused : words that no image holds, fit or test.
    patch : (height, width) pixels beneath a site.
    explained : R² on test images of the reconstruction's patches by the word of their site, from
        the mean patch that each word has in fit images: 1 where a word paints always the same.
    painted : (w,) the most frequent words, at most 32, largest count first.
    patches : (w, P) the mean patch of the test images' reconstructions beneath each, enlarged to
        the size of an image.
    rows : test images.
    start, channels : the first channel of the code that holds words, and how many it has: more than
        a word is long where something else stands beside it.
    """

    words: int
    length: int
    sites: tuple[int, int]
    counts: np.ndarray
    perplexity: float
    unused: int
    patch: tuple[int, int]
    explained: Estimate
    painted: np.ndarray
    patches: ImageArray
    rows: int
    start: int = 0
    channels: int = 0


def run(study: Study) -> CodeBook:
    """Count the words; nothing is decoded. Raises DoesNotApplyError where the code has no book."""
    book = study.autoencoder.code_book
    if book is None:
        raise DoesNotApplyError("the code is not made of words of a code book.")
    shape = study.autoencoder.code_shape
    sites = (shape[1], shape[2]) if len(shape) == 3 else (1, 1)
    start = study.autoencoder.code_book_start
    fit, test = (_words_of(part.codes, book, start, sites) for part in (study.fit, study.test))
    counts = np.bincount(test.ravel(), minlength=len(book))
    used = counts + np.bincount(fit.ravel(), minlength=len(book))
    frequencies = counts[counts > 0] / counts.sum()
    painted = np.argsort(-counts, kind="stable")[: min(MOST_PAINTED, int((counts > 0).sum()))]
    patches = _patches(study.test.reconstructions, study.image_shape, sites)
    means = _means(patches, test, len(book))
    return CodeBook(
        words=len(book),
        length=book.shape[1],
        sites=sites,
        counts=counts,
        perplexity=float(np.exp(-(frequencies * np.log(frequencies)).sum())),
        unused=int((used == 0).sum()),
        patch=patches.shape[-2:],
        explained=_explained(study, patches, test, fit, sites),
        painted=painted,
        patches=study.pictures(_enlarged(means[painted], study.image_shape)),
        rows=len(study.test),
        start=start,
        channels=shape[0],
    )


def _words_of(
    codes: np.ndarray, book: np.ndarray, start: int, sites: tuple[int, int]
) -> np.ndarray:
    """(n, code_size) → (n, sites) the word that each site holds from a channel on: the nearest."""
    count = sites[0] * sites[1]
    own = codes[:, start * count : (start + book.shape[1]) * count]
    at_sites = own.reshape(len(codes), book.shape[1], -1).transpose(0, 2, 1)
    lengths = squared_norms(book)
    words = [
        np.argmin(lengths - 2 * (at_one.astype(np.float64) @ book.T), axis=1) for at_one in at_sites
    ]
    return np.array(words, np.intp).reshape(len(codes), sites[0] * sites[1])


def _patches(images: np.ndarray, shape: tuple[int, int, int], sites: tuple[int, int]) -> np.ndarray:
    """(n, P) → (n, sites, C, h, w) the pixels beneath each site; those left over are cropped."""
    channels, height, width = shape
    tall, wide = max(1, height // sites[0]), max(1, width // sites[1])
    down = np.minimum(np.arange(sites[0]) * height // sites[0], height - tall)
    across = np.minimum(np.arange(sites[1]) * width // sites[1], width - wide)
    pixels = images.reshape(len(images), channels, height, width)
    rows = (down[:, None] + np.arange(tall))[:, None, :, None]
    columns = (across[:, None] + np.arange(wide))[None, :, None, :]
    taken = pixels[:, :, rows, columns]
    return taken.transpose(0, 2, 3, 1, 4, 5).reshape(len(images), -1, channels, tall, wide)


def _means(patches: np.ndarray, words: np.ndarray, count: int) -> np.ndarray:
    """(count, C, h, w) the mean patch of each word; that of all where a word is not held."""
    from scipy.sparse import csr_array

    flat = patches.reshape(words.size, -1)
    places = np.arange(words.size)
    held = csr_array((np.ones(words.size), (words.ravel(), places)), shape=(count, words.size))
    counts = np.bincount(words.ravel(), minlength=count)[:, None]
    means = np.where(counts > 0, held @ flat / np.maximum(counts, 1), flat.mean(axis=0))
    return means.reshape(count, *patches.shape[2:])


def _explained(
    study: Study, patches: np.ndarray, test: np.ndarray, fit: np.ndarray, sites: tuple[int, int]
) -> Estimate:
    count = 1 + int(max(test.max(), fit.max()))
    of_fit = _patches(study.fit.reconstructions, study.image_shape, sites)
    predicted = _means(of_fit, fit, count)
    middle = of_fit.mean(axis=(0, 1))

    def by_image(difference: np.ndarray) -> np.ndarray:
        return squared_norms(difference.reshape(len(difference), -1))

    missed = by_image(patches - predicted[test])
    return study.bootstrap(study.test_rows).explained(missed, by_image(patches - middle))


def _enlarged(patches: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """(w, C, h, w) patches → (w, P): each pixel repeated up to the size of an image."""
    down = np.arange(shape[1]) * patches.shape[2] // shape[1]
    across = np.arange(shape[2]) * patches.shape[3] // shape[2]
    return patches[:, :, down[:, None], across].reshape(len(patches), -1)
