"""Units that go together so closely that they are one: how close, and which copy each other."""

from __future__ import annotations

import numpy as np

from reportgen.study.study import Study

FEWEST_FOR_DUPLICATES = 30


def unit_correlations(study: Study) -> np.ndarray:
    """(K, K) Pearson r of live units; 0 with others and on the diagonal.

    Of the units' values over the test rows, or where all units are channels of as many sites, of
    their coordinates over rows and sites.
    """
    values = study.units.values(study.test.every_code)
    centred = values - values.mean(axis=0)
    sizes = {len(members) for members in study.units.members}
    if len(sizes) == 1 and sizes != {1}:
        codes = study.test.every_code[:, np.stack(study.units.members)]
        codes = codes - codes.mean(axis=0, dtype=np.float64).astype(np.float32)
        centred = codes.transpose(0, 2, 1).reshape(-1, len(study.units)).astype(np.float64)
    norms = np.linalg.norm(centred, axis=0)
    live = set(study.live_units.tolist())
    norms[[k for k in range(len(norms)) if k not in live]] = 0
    scaled = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0)
    correlations = scaled.T @ scaled
    np.fill_diagonal(correlations, 0)
    return correlations


def copies_of_units(study: Study) -> np.ndarray:
    """(K, K) which units copy each other; none where there are too few images to tell."""
    close = np.abs(study.shared(unit_correlations)) > study.settings.duplicate_correlation
    return close & (len(study.test.every_code) >= FEWEST_FOR_DUPLICATES)


def groups_of_copies(study: Study) -> np.ndarray:
    """(K,) the number of each unit's group: units that copy each other, by way of others too."""
    from scipy.sparse.csgraph import connected_components

    _, groups = connected_components(study.shared(copies_of_units), directed=False)
    return groups
