"""A callback of Lightning: a report of the model that is being trained, every few epochs."""

from __future__ import annotations

import warnings
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reportgen.api.arguments import build_settings
from reportgen.api.building import KEYWORDS, build
from reportgen.errors import ReportgenError, SettingsError

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import Callback
else:
    try:
        from lightning.pytorch.callbacks import Callback
    except ImportError:
        # The same under the name that it had first.
        Callback = import_module("pytorch_lightning.callbacks").Callback


class ReportCallback(Callback):
    """Writes a report of the module after every so many epochs.

    Trainer(callbacks=[ReportCallback(images, every_n_epochs=10, folder="reports/")])

    A copy of the module is studied; training goes on as it would have. One process of several makes
    the report. Where the module cannot be reported on, that is a warning, and training goes on.

    Parameters
    ----------
    images : as `reportgen.build` takes them, such as the validation data set.
    every_n_epochs : epochs from one report to the next.
    folder : where the pages go, as epoch-010.html; made if need be.
    log : also log the headline numbers to the trainer's loggers.
    said : keywords of `reportgen.build`, as effort="quick" or given="model".

    Raises SettingsError for a keyword that is not known.
    """

    def __init__(
        self,
        images: Any,
        *,
        every_n_epochs: int = 10,
        folder: str | PathLike[str] = "reports",
        log: bool = False,
        **said: Any,
    ) -> None:
        if every_n_epochs < 1:
            raise SettingsError(f"every_n_epochs is {every_n_epochs}; it must be at least 1.")
        build_settings({name: v for name, v in said.items() if name not in KEYWORDS}, KEYWORDS)
        self._images, self._said = images, {"effort": "quick", **said}
        self._every, self._folder, self._log = every_n_epochs, Path(folder), log

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Make the report, where this epoch has one."""
        epoch = trainer.current_epoch + 1
        if epoch % self._every or not trainer.is_global_zero:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            page = self._folder / f"epoch-{epoch:03}.html"
            said = {"title": f"{type(pl_module).__name__}, epoch {epoch}", **self._said}
            report = build(pl_module, self._images, page, **said)
            for logger in trainer.loggers if self._log else ():
                report.log_to(logger, step=trainer.global_step, page=False)
        except (ReportgenError, OSError) as error:
            warnings.warn(f"No report of epoch {epoch}: {error}", stacklevel=2)
