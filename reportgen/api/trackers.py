"""A report's numbers and page in MLflow, Weights & Biases and TensorBoard."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reportgen.errors import NumberNameError, SettingsError
from reportgen.statistics.bootstrap import Estimate

if TYPE_CHECKING:
    from reportgen.api.report import Report

# Numbers that are worth following from one training to the next.
HEADLINES = (
    *("reconstruction.r2", "reconstruction.pca_r2", "linearity.linear", "linearity.curved"),
    *("additivity.up.gap", "subtraction.miss_zero", "subtraction.miss_mean"),
    *("contributions.effective_units", "health.live", "health.distinct"),
)
# MLflow's own viewer hangs on pages of about 10 MB.
PAGE_MEGABYTES = 5.0
PAGE, RESULTS = "report.html", "results"
# Each is also the name of the extra that brings it.
NAMED = ("mlflow", "wandb", "tensorboard")
TARGETS = (
    '"mlflow", "wandb", "tensorboard", a SummaryWriter, a run of Weights & Biases, the module '
    "mlflow or a logger of Lightning"
)


def metrics_of(report: Report, prefix: str = "") -> dict[str, float]:
    """The headline numbers by name, with .low and .high behind those that have an interval."""
    found: dict[str, float] = {}
    for name in HEADLINES:
        try:
            number = report[name]
        except NumberNameError:
            # Of results that were made before there was such a number.
            continue
        if isinstance(number, Estimate):
            ends = {"": number.value, ".low": number.low, ".high": number.high}
        else:
            ends = {} if number is None else {"": float(number)}
        found |= {
            f"{prefix}{name}{end}": value for end, value in ends.items() if math.isfinite(value)
        }
    return found


def tags_of(report: Report) -> dict[str, str]:
    """The SHA-256 of what was studied."""
    provenance = report.results.provenance
    sources = {"model_sha256": provenance.model, "data_sha256": provenance.data}
    return {name: source.sha256 for name, source in sources.items() if source is not None}


def log_report(report: Report, target: Any, step: int | None, prefix: str, page: bool) -> None:
    """Log a report; see `Report.log_to`."""
    if isinstance(target, str):
        _log_by_name(report, target, step, prefix, page)
        return
    for fits, log in _DOORS:
        if fits(target):
            log(report, target, step, prefix, page)
            return
    raise SettingsError(f"log_to takes {TARGETS}, and not a {type(target).__name__}.")


def _log_by_name(report: Report, name: str, step: int | None, prefix: str, page: bool) -> None:
    if name not in NAMED:
        raise SettingsError(f"log_to takes {TARGETS}, and not {name!r}.")
    with ExitStack() as stack:
        if name == "mlflow":
            mlflow = _imported("mlflow")
            if mlflow.active_run() is None:
                stack.enter_context(mlflow.start_run())
            _log_to_mlflow(report, mlflow, step, prefix, page)
        elif name == "wandb":
            wandb = _imported("wandb")
            run = wandb.run
            if run is None:
                run = stack.enter_context(wandb.init())
            _log_to_wandb(report, run, step, prefix, page)
        else:
            _imported("tensorboard")
            from torch.utils.tensorboard import SummaryWriter

            writer = SummaryWriter()
            stack.callback(writer.close)
            _log_to_tensorboard(report, writer, step, prefix, page)


def _imported(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{name} is not installed here; install it with pip install 'reportgen[{name}]'."
        ) from error


def _log_to_mlflow(report: Report, mlflow: Any, step: int | None, prefix: str, page: bool) -> None:
    """Log to the active run of the module mlflow, or of a client that is bound to a run."""
    mlflow.log_metrics(metrics_of(report, prefix), step=step)
    mlflow.set_tags(tags_of(report))
    with tempfile.TemporaryDirectory(prefix="reportgen-") as name:
        folder = _files(report, Path(name), page)
        place = prefix.strip("/") + ("" if step is None else f"/step {step}")
        mlflow.log_artifacts(str(folder), artifact_path=place.strip("/") or None)


class _RunOfClient:
    """A client of MLflow and one run, with the functions of the module mlflow."""

    def __init__(self, client: Any, run: str) -> None:
        self._client, self._run = client, run

    def log_metrics(self, metrics: dict[str, float], step: int | None) -> None:
        for name, value in metrics.items():
            self._client.log_metric(self._run, name, value, step=step)

    def set_tags(self, tags: dict[str, str]) -> None:
        for name, value in tags.items():
            self._client.set_tag(self._run, name, value)

    def log_artifacts(self, folder: str, artifact_path: str | None) -> None:
        self._client.log_artifacts(self._run, folder, artifact_path)


def _log_to_wandb(report: Report, run: Any, step: int | None, prefix: str, page: bool) -> None:
    logged: dict[str, Any] = dict(metrics_of(report, prefix))
    if page:
        wandb = _imported("wandb")
        logged[f"{prefix}page"] = wandb.Html(_small_page(report), inject=False)
    run.log(logged, step=step)
    run.config.update(tags_of(report), allow_val_change=True)


def _log_to_tensorboard(
    report: Report, writer: Any, step: int | None, prefix: str, page: bool
) -> None:
    for name, value in metrics_of(report, prefix).items():
        writer.add_scalar(name, value, step)
    verdict = "\n".join(f"    {line}" for line in repr(report).splitlines())
    writer.add_text(f"{prefix}verdict", verdict, step)
    writer.flush()


def _log_to_lightning(
    report: Report, logger: Any, step: int | None, prefix: str, page: bool
) -> None:
    inner = logger.experiment
    if hasattr(inner, "log_artifacts") and hasattr(logger, "run_id"):
        inner = _RunOfClient(inner, logger.run_id)
    for fits, log in _DOORS[:-1]:
        if fits(inner):
            log(report, inner, step, prefix, page)
            return
    logger.log_metrics(metrics_of(report, prefix), step=step)


def _files(report: Report, folder: Path, page: bool) -> Path:
    report.save_results(folder / RESULTS)
    if page:
        (folder / PAGE).write_text(_small_page(report), encoding="utf-8")
    return folder


def _small_page(report: Report) -> str:
    html = report.html
    if len(html.encode("utf-8")) <= PAGE_MEGABYTES * 1e6:
        return html
    with tempfile.TemporaryDirectory(prefix="reportgen-") as name:
        saved = report.save(Path(name) / PAGE, max_size=PAGE_MEGABYTES)
        return saved.read_text(encoding="utf-8")


def _has(*names: str) -> Callable[[Any], bool]:
    return lambda target: all(hasattr(target, name) for name in names)


# By what a target can do: the first that fits.
_DOORS: tuple[tuple[Callable[[Any], bool], Callable[..., None]], ...] = (
    (_has("add_scalar", "add_text"), _log_to_tensorboard),
    (_has("log_metrics", "set_tags", "log_artifacts"), _log_to_mlflow),
    (_has("log", "config", "log_artifact"), _log_to_wandb),
    (_has("log_metrics", "experiment"), _log_to_lightning),
)
