"""Images that memory cannot hold are compressed by a linear sketch: said, and the same numbers."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch

from reportgen.analyses import interactions, one_picture, permuted_codes
from reportgen.settings import Settings
from reportgen.study.study import Study
from tests.conftest import FEW
from tests.oracles import decoders
from tests.slow import slow_but

# More pixels than a sketch has numbers.
SHAPE = 1, 64, 65
# The sd of one squared norm of a sketch.
SKETCHED_SD = 0.022


def study_of_large_images() -> Study:
    """x̂ = z₀u₀ + z₁u₁ + z₀z₁u₂ of 4,160 pixels."""
    pixels = int(np.prod(SHAPE))
    matrix = np.random.default_rng(7).normal(size=(pixels, 3))
    pictures = torch.from_numpy(np.linalg.qr(matrix)[0].T.astype(np.float32))

    def decode(z: torch.Tensor) -> torch.Tensor:
        parts = torch.cat([z, z[:, :1] * z[:, 1:2]], dim=1)
        return (parts @ pictures).reshape(len(z), *SHAPE)

    codes = torch.from_numpy(decoders.uniform_codes(60, 2))
    return decoders.of_pixels(
        decode(codes).reshape(len(codes), -1).numpy(),
        shape=SHAPE,
        encode=lambda images: images.reshape(len(images), -1) @ pictures[:2].T,
        decode=decode,
        code_shape=(2,),
        settings=FEW,
    )


def numbers_of(result) -> list[float]:
    if isinstance(result, interactions.Interactions):
        return [order.value for order in result.order_shares]
    if isinstance(result, one_picture.OnePicture):
        return [unit.rho_context.value for unit in result.units]
    return [result.linear.value, result.not_additive.value]


@pytest.mark.parametrize(
    "module", slow_but((interactions, one_picture), (interactions, one_picture, permuted_codes))
)
def test_numbers_from_a_sketch_are_those_of_whole_images_within_its_error(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = module.run(study_of_large_images())
    monkeypatch.setattr(Settings, "memory_bytes", 1)
    sketched = module.run(study_of_large_images())
    assert (whole.sketched, sketched.sketched) == (False, True)
    np.testing.assert_allclose(numbers_of(sketched), numbers_of(whole), atol=2 * SKETCHED_SD)
