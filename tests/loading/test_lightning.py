"""Checkpoints that Lightning's own trainer wrote."""

from __future__ import annotations

import warnings
from pathlib import Path

import lightning
import pytest
import torch
from torch import Tensor

from tests.loading.files import load
from tests.loading.image_array import random_images

SOURCE = """
import torch
from torch import nn
import lightning

class Net(nn.Module):
    def __init__(self, units):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(144, units))
        self.decoder = nn.Sequential(nn.Linear(units, 144), nn.Unflatten(1, (1, 12, 12)))

    def forward(self, x):
        return self.decoder(self.encoder(x))

class Lit(lightning.LightningModule):
    def __init__(self, units=3, rate=0.1):
        super().__init__()
        self.save_hyperparameters()
        self.model = Net(units)
        self.loss = nn.MSELoss()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        return self.model(x)

    def training_step(self, batch, index):
        return self.loss(self(batch), batch)

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), self.hparams.rate)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Tensor]:
    folder = tmp_path_factory.mktemp("lightning")
    (folder / "lit.py").write_text(SOURCE)
    namespace: dict = {"__name__": "lit"}
    exec(compile(SOURCE, str(folder / "lit.py"), "exec"), namespace)
    images = torch.from_numpy(random_images((1, 12, 12)).pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        module = namespace["Lit"](units=4)
        trainer = lightning.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
        )
        trainer.fit(module, torch.utils.data.DataLoader(images, batch_size=8))
        trainer.save_checkpoint(folder / "model.ckpt")
    with torch.no_grad():
        return folder / "model.ckpt", folder / "lit.py", module.eval().model.encoder(images)


@pytest.mark.parametrize("name", ["Lit", "Net"])
def test_a_checkpoint_loads_into_the_module_or_its_network(
    name: str, trained: tuple[Path, Path, Tensor]
) -> None:
    path, source, code = trained
    images = random_images((1, 12, 12))
    found = load(path, images, model_class=f"{source}:{name}")
    assert found.code_shape == (4,)
    torch.testing.assert_close(found.encode(torch.from_numpy(images.pixels)), code)
