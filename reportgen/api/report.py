"""`Report`: what `build` and `load` return, to be looked at, asked for numbers, and written."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reportgen.api.sentences import said_in_keywords
from reportgen.delivery.delivery import Delivery, Destination, ReportFiles
from reportgen.delivery.output import RESULTS_FILES
from reportgen.delivery.page_layout import PageLayout
from reportgen.delivery.results_folder import ResultsFolder
from reportgen.errors import OutputError
from reportgen.questions import all_questions
from reportgen.report.fitting import page_within_size
from reportgen.report.number_names import NumberNames
from reportgen.report.page import Page
from reportgen.report.results import Results, Unit, VerdictLine
from reportgen.report.store import image_archive, read_results, results_json
from reportgen.report.templates import framed
from reportgen.report.terminal import answer_lines
from reportgen.settings import settings_of

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from reportgen.checks.outcomes import Outcome
    from reportgen.statistics.bootstrap import Estimate

# A notebook stores what it shows.
FRAMED_MEGABYTES = 2.0


@dataclass(frozen=True, repr=False, eq=False)
class Report:
    """A report: its numbers, and its page.

    In a notebook it shows itself as the page in a frame; printed, as the verdict.

    Attributes
    ----------
    results : everything in it, as results.json has it.
    """

    results: Results
    _html: str | None = field(default=None)
    # results.json and results.npz as they were made: the latter holds more than the results do, by
    # which reports are compared.
    _stored: tuple[bytes, bytes] | None = field(default=None)

    @property
    def verdict(self) -> tuple[VerdictLine, ...]:
        """The five questions of the verdict, with word, number and interval."""
        return self.results.verdict

    @property
    def units(self) -> tuple[Unit, ...]:
        """Everything measured about each unit, in order of share."""
        return self.results.units

    @cached_property
    def html(self) -> str:
        """The page, in one file."""
        return self._page("file").html if self._html is None else self._html

    def __getitem__(self, name: str) -> Estimate | float | int | bool | None:
        """A number by its name in results.json, as report["reconstruction.r2"].

        A number with an interval is an `Estimate` of `value`, `low` and `high`; ".low" behind the
        name gives that alone. None where it was not measured. Raises NumberNameError for a name
        that there is not, with the nearest.
        """
        return NumberNames(self.results, all_questions())[name]

    def __repr__(self) -> str:
        return "\n".join(answer_lines(self.results))

    def _repr_html_(self) -> str | None:
        """The page in a frame of its own, with as many pictures as fit into 2 MB.

        None where not even the thinnest page does, so that the notebook prints the verdict.
        """
        try:
            page = self._page("file", FRAMED_MEGABYTES)
        except OutputError:
            return None
        return framed(page.html, self.results.title)

    def save(
        self,
        page: str | PathLike[str] = "report.html",
        *,
        layout: PageLayout = "file",
        max_size: float | None = None,
    ) -> Path:
        """Write the page, and return its path.

        Parameters
        ----------
        page : the file; in the layout "folder" a folder of index.html and assets/.
        max_size : megabytes that it may have; pictures are left out to stay below.

        Raises OutputError where it cannot be written, or be as small; then all is as it was.
        """
        with said_in_keywords():
            delivery = Delivery(Destination(Path(page), layout), ())
            if layout == "file" and max_size is None:
                files = ReportFiles(self.html.encode("utf-8"))
            else:
                made = self._page(layout, max_size)
                files = ReportFiles(made.html.encode("utf-8"), made.files)
            delivery.write(files)
        return delivery.page

    def save_results(self, folder: str | PathLike[str]) -> Path:
        """Write results.json and results.npz into a folder, which is made if need be.

        Raises OutputError where that cannot be done; then all is as it was.
        """
        with said_in_keywords():
            target = ResultsFolder(Path(folder))
            if self._stored is not None:
                target.write(*self._stored)
            else:
                plain = results_json(self.results).encode("utf-8")
                target.write(plain, image_archive(self.results))
        return Path(folder)

    def frame(self, name: str = "units") -> pandas.DataFrame:
        """A list of the results as a table of pandas: "units", "verdict", "contributions.shares".

        A number with an interval has two more columns, as share_low and share_high. Raises
        NumberNameError for a name that is no list; ImportError where pandas is missing.
        """
        from reportgen.api.tables import table_of

        return table_of(self.results, name)

    def check(
        self,
        *rules: str,
        baseline: Report | None = None,
        other_images: bool = False,
    ) -> tuple[Outcome, ...]:
        """Hold rules against the report: report.check("reconstruction.r2.low >= 0.8").

        Each outcome says what was found; `broken` tells whether the rule is.

        Parameters
        ----------
        rules : as `reportgen check` takes them.
        baseline : another report, for rules that compare with one.
        other_images : whether that one may be of other images.

        Raises CheckError for a rule that cannot be read or held.
        """
        from reportgen.checks.outcomes import Checker
        from reportgen.checks.rules import read_rule

        before = None if baseline is None else baseline.results
        with said_in_keywords():
            checker = Checker(self.results, all_questions(), before, other_images=other_images)
            return tuple(checker.check(read_rule(rule)) for rule in rules)

    def summary(self, *, baseline: Report | None = None, link: str = "") -> str:
        """The report in Markdown, for a pull request or a chat, of 60,000 bytes at most.

        Parameters
        ----------
        baseline : another report that it is put beside.
        link : the page's address.
        """
        from reportgen.checks.summary import summary_of

        before = None if baseline is None else baseline.results
        return summary_of(self.results, None, before, link=link)

    def figure(self, kind: str, *, width: float = 85.0, **chosen: Any) -> Figure:
        """A figure of matplotlib for papers: report.figure("walk", unit=3).savefig("walk.pdf").

        Parameters
        ----------
        kind : "contributions", "walk", "partial_reconstruction" or "units".
        width : in millimetres.
        chosen : `unit` or `direction` of a walk; `image` of a unit's walk or of contributions, by
            number or name; `by`, "unit" or "direction", of contributions.

        Raises FigureError where there is no such figure, or these results cannot make it.
        """
        from reportgen.plots import draw_figure

        return draw_figure(self.results, kind, width, **chosen)

    def log_to(
        self,
        target: Any,
        step: int | None = None,
        *,
        prefix: str = "reportgen/",
        page: bool = True,
    ) -> None:
        """Log the headline numbers, and where it can be shown the page, to an experiment tracker.

        Parameters
        ----------
        target : "mlflow", "wandb" or "tensorboard", for the active run or a new one; or a
            SummaryWriter, a run of Weights & Biases, the module mlflow, or a logger of Lightning.
        step : of the training.
        prefix : before every name.
        page : whether the page goes with it, of at most 5 MB. TensorBoard shows the verdict alone.

        Raises ImportError where the tracker's package is missing; SettingsError for another target.
        """
        from reportgen.api.trackers import log_report

        log_report(self, target, step, prefix, page)

    def show(self) -> None:
        """Open the page in a web browser, from a temporary file that is left there for it."""
        import webbrowser

        folder = Path(tempfile.mkdtemp(prefix="reportgen-"))
        webbrowser.open(self.save(folder / "report.html").as_uri())

    def _page(self, layout: PageLayout, megabytes: float | None = None) -> Page:
        results, questions = self.results, all_questions()
        if megabytes is not None:
            wanted = settings_of({"max_page_megabytes": megabytes}, "save").max_page_megabytes
            settings = replace(results.settings, max_page_megabytes=wanted)
            results = replace(results, settings=settings)
        return page_within_size(results, questions, layout)


def load(folder: str | PathLike[str]) -> Report:
    """A report again from results.json and results.npz, without the model and the images.

    Raises ResultsError where the folder holds none that this version can read.
    """
    results = read_results(Path(folder), all_questions())
    stored = tuple((Path(folder) / name).read_bytes() for name in RESULTS_FILES)
    return Report(results, None, (stored[0], stored[1]))
