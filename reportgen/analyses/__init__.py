"""One module for each question, each with `run(study)` and a frozen result.

Analyses hold numbers and arrays; they know nothing of pictures or pages and do not import each
other.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np

ImageArray = Annotated[np.ndarray, "images"]
"""Pictures (…, p) of images on the data's pixel scale, from `Study.pictures`: stored in
results.npz, not in results.json."""


class UnanswerableError(Exception):
    """A question that cannot be asked of this model and data; the sentence says why."""


class DoesNotApplyError(UnanswerableError):
    """A question about what this model or data does not have, such as the sites of a flat code."""
