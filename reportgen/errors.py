"""Errors that are the user's to mend; each carries one sentence: what is wrong, where, what to do.

Everything else that is raised is a bug and keeps its traceback.
"""

from collections.abc import Iterable


class ReportgenError(Exception):
    """Bad input. The command prints the sentence and exits with 2."""


class ModelError(ReportgenError):
    """The model file cannot be loaded, split or run."""


class DataError(ReportgenError):
    """The images cannot be read, or do not fit the model."""


class SettingsError(ReportgenError):
    """A flag or a line of `reportgen.toml` has a value outside its range."""


class ResultsError(ReportgenError):
    """A folder does not hold results that this version can read."""


class NumberNameError(ReportgenError):
    """A name of a number of the report is not one."""


class FigureError(ReportgenError):
    """There is no such figure, or the results do not hold what it shows."""


class CheckError(ReportgenError):
    """A rule cannot be read, or cannot be held against these results."""


class ComparisonError(ReportgenError):
    """Reports cannot be compared so."""


class CollectionError(ReportgenError):
    """Reports cannot be made a site of."""


class RankError(ReportgenError):
    """Another process of the job has stopped, or cannot be reached."""


class ChildError(ReportgenError):
    """The process that reads strangers' files died, or took more than it may."""


class OutputError(ReportgenError):
    """The report cannot be written where it was asked for."""


class ExtensionError(ReportgenError):
    """A question that an installed package brings cannot be used."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Words for a sentence about a name that is not known: the one most like it; "" for none."""
    found = nearest_name(name, known)
    return f", perhaps for {found!r}" if found else ""


def nearest_name(name: str, known: Iterable[str]) -> str:
    """The known name that is most like one that is not known; "" where none is like it."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(known), 1)), "")


class BugError(Exception):
    """A fault of ours in the process that reads strangers' files; the text is its traceback."""
