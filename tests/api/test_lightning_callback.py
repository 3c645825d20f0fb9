"""Reports made while a module of Lightning is trained, which goes on as it would have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer

from reportgen.errors import SettingsError
from reportgen.lightning import ReportCallback
from tests.api.models import UNIT, Net, Set
from tests.api.test_report import QUICK

SAID: dict[str, Any] = {"normalize": "0,1", "output": "pixels", **QUICK}


class Module(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = Net()
        self.encoder, self.decoder = self.net.encoder, self.net.decoder

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images)

    def training_step(self, batch: Any, place: int) -> torch.Tensor:
        return (self.net(batch[0]) - batch[0]).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.net.parameters(), 0.1)


def trained(folder: Path, *callbacks: ReportCallback) -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    module = Module()
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = Trainer(
        **{"max_epochs": 2, "accelerator": "cpu", "enable_model_summary": False, **quiet},
        callbacks=list(callbacks),
        default_root_dir=folder,
    )
    trainer.fit(module, torch.utils.data.DataLoader(Set(), batch_size=8, shuffle=True))
    return module.state_dict()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_report_is_written_and_training_is_the_same(tmp_path: Path) -> None:
    callback = ReportCallback(UNIT, every_n_epochs=2, folder=tmp_path / "reports", **SAID)
    found, expected = trained(tmp_path, callback), trained(tmp_path)
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["epoch-002.html"]
    page = (tmp_path / "reports" / "epoch-002.html").read_text("utf-8")
    assert "Module, epoch 2" in page
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


@pytest.mark.slow
def test_what_cannot_be_reported_on_is_a_warning(tmp_path: Path) -> None:
    callback = ReportCallback(UNIT[:1], every_n_epochs=1, folder=tmp_path / "reports", **SAID)
    with pytest.warns(UserWarning, match="No report of epoch 1: images has shape"):
        trained(tmp_path, callback)


def test_an_unknown_keyword_is_refused_at_once() -> None:
    with pytest.raises(SettingsError, match="perhaps for 'effort'"):
        ReportCallback(UNIT, efort="quick")
