"""Labels for conditional models: each image's class, beside it and beside its code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reportgen.autoencoder import Autoencoder, Note
from reportgen.errors import DataError, ModelError
from reportgen.loading.graph.label_input import LabelInput, LabelMisfitError
from reportgen.loading.modules.model_parts import ModelParts
from reportgen.loading.split import ImageMap, Split
from reportgen.shown import NO_LABEL

Form = Callable[[Tensor], Tensor]
MOST_CLASSES = 10_000
# Widths of a one-hot that are tried where the data's own classes are too few for the model.
USUAL_WIDTHS = (
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    20,
    26,
    37,
    40,
    43,
    47,
    62,
    100,
    101,
    102,
    200,
    365,
    1000,
)


class LabelFeed:
    """The labels that a model's functions are fed, with what they are called with.

    While it is loaded, a model is tried on images of one class. Afterwards each call says the
    labels of its images or codes.

    Parameters
    ----------
    labels : (n,) the class of each image of the data.
    classes : the model's names of its classes, in order, where they are known.

    Raises DataError where the images have no classes, or too many.

    Attributes
    ----------
    numbers : the number of each class, by its name: its own where all are whole numbers, its place
        among the model's names where those are known, else its place among the data's in order.
    usual : the class that most images have.
    count : how many numbers there are, up to the largest.
    is_fed : whether anything has asked for labels since a form was taken up.
    """

    def __init__(self, labels: Sequence[str] | None, classes: Sequence[str], device: str) -> None:
        if not labels:
            raise DataError(
                "--condition labels feeds the model the images' classes, and these images have "
                "none: put them in a folder for each class, or name a table with a column of "
                "labels."
            )
        if NO_LABEL in labels:
            raise DataError(
                f"--condition labels feeds the model the images' classes, and "
                f"{Counter(labels)[NO_LABEL]} of these {len(labels)} images have none: give each "
                "one, or leave those out."
            )
        found = sorted(set(labels))
        if all(label.isascii() and label.isdecimal() for label in found):
            self.numbers = {label: int(label) for label in found}
        elif set(found) <= set(classes):
            self.numbers = {label: classes.index(label) for label in found}
        else:
            self.numbers = {label: place for place, label in enumerate(found)}
        counts = Counter(labels)
        self.usual = max(found, key=lambda label: counts[label])
        self.count = 1 + max(self.numbers.values())
        if self.count > MOST_CLASSES:
            raise DataError(
                f"--condition labels feeds the model the images' classes, and these are numbers "
                f"up to {self.count - 1}, which stands for more classes than any model takes; "
                "give classes, and not measurements, as labels."
            )
        self._device = device
        self._form_words, self._form = next(self._ways())
        self._labels: Tensor | None = None
        self._lock = Lock()
        self.is_fed = False

    def forms(self, declared: LabelInput | None = None) -> Iterator[None]:
        """Take up one way to write labels after the other, as long as it is asked for more.

        `declared` is the input of a graph that says how it takes them.
        """
        for words, form in self._ways(None if declared is None else declared.width):
            self._form_words, self._form, self.is_fed = words, form, False
            yield

    def _ways(self, declared: int | None = None) -> Iterator[tuple[str, Form]]:
        """Words for each form, and the form."""
        yield "their numbers", _as_index
        usual = (self.count, *(width for width in USUAL_WIDTHS if width > self.count))
        for width in usual if declared is None else (declared,) * (declared >= self.count):
            yield f"one-hot vectors of {width}", _one_hot(width)
        yield "their numbers, each in a row of its own", _in_rows

    @contextmanager
    def of(self, labels: Tensor) -> Iterator[None]:
        """Within this block calls are of images, or codes, of these classes (n,)."""
        # Engines of one model, each on a thread of its own, feed it in turn.
        with self._lock:
            self._labels = labels.to(self._device)
            try:
                yield
            finally:
                self._labels = None

    @contextmanager
    def chunk(self, place: int, size: int) -> Iterator[None]:
        """Within this block calls are of one chunk of the images alone, padded with its last."""
        whole = self._labels
        if whole is not None:
            rows = torch.arange(place * size, (place + 1) * size, device=whole.device)
            self._labels = whole[rows.clamp(max=len(whole) - 1)]
        try:
            yield
        finally:
            self._labels = whole

    def fed(self, count: int) -> Tensor:
        """Labels for so many images, as the model takes them."""
        self.is_fed = True
        labels = self._labels
        if labels is None:
            labels = torch.full((count,), self.numbers[self.usual], device=self._device)
        assert len(labels) == count, "each image has its own label"
        return self._form(labels)

    def bound(self, function: Callable[..., Any], takes_label: bool) -> Callable[[Any], Any]:
        """A function of images, or codes, alone, which is given their labels too."""

        def run(values: Any) -> Any:
            if not takes_label:
                return function(values)
            labels = self.fed(len(values))
            return function(values, labels.numpy() if isinstance(values, np.ndarray) else labels)

        return run

    def split(
        self, split_with: Callable[[LabelFeed], Split], declared: LabelInput | None = None
    ) -> Split:
        """Split a model with labels in the first form that it takes.

        `declared` is the label input of a graph that says how it takes them.

        Raises ModelError where nothing of it takes labels, or where it does not take those of the
        data; else what the first form raised.
        """
        if declared is not None and 1 < (declared.width or 0) < self.count:
            raise ModelError(
                f"the model takes one-hot vectors of {declared.width} classes, and the data's have "
                f"the numbers 0 to {self.count - 1}."
            )
        first: Exception | None = None
        misfit = ModelError("the model takes no labels")
        for _ in self.forms(declared):
            try:
                split = split_with(self)
            except LabelMisfitError as error:
                misfit = ModelError(str(error))
                continue
            except (ModelError, DataError) as error:
                first = first or error
                continue
            if not self.is_fed:
                raise ModelError(
                    "--condition labels feeds a model the classes of its images, and this one's "
                    "encoder and decoder take no second input; leave it out."
                )
            return split
        raise first or misfit

    def conditional(self, found: Autoencoder, sample: Tensor) -> Autoencoder:
        """The autoencoder that takes the labels of images, and codes with labels behind them."""
        size = found.code_size
        indicators = self.count - 1

        def with_labels(function: ImageMap) -> Callable[[Tensor, Tensor], Tensor]:
            def run(images: Tensor, labels: Tensor) -> Tensor:
                with self.of(labels):
                    return function(images)

            return run

        def decode(codes: Tensor) -> Tensor:
            behind = codes[:, size:]
            labels = torch.zeros(len(codes), dtype=torch.long, device=codes.device)
            if indicators:
                labels = torch.where(behind.amax(1) > 0.5, 1 + behind.argmax(1), labels)
            with self.of(labels):
                return found.decode(codes[:, :size].reshape(-1, *found.code_shape))

        encode = with_labels(found.encode)
        self._check_last_class(encode, sample)
        named = {name: number for number, name in enumerate(found.classes[: self.count])}
        text = (
            f"The model is conditional: it is given the classes of the images as "
            f"{self._form_words}{self._listed()}. Units are studied at each image's own class, "
            "which nothing moves; where there is no image, as for the baseline's picture, it is "
            f"the commonest ({self.usual}). While it was loaded it was tried on images of that "
            "class alone."
        )
        return replace(
            found,
            encode=encode,
            decode=decode,
            forward=found.forward and with_labels(found.forward),
            posterior_sd=found.posterior_sd and with_labels(found.posterior_sd),
            label_numbers=named | self.numbers,
            concurrent=False,
            notes=(*found.notes, Note("condition", text)),
        )

    def _check_last_class(self, encode: Callable[[Tensor, Tensor], Tensor], sample: Tensor) -> None:
        last = self.count - 1
        try:
            encode(sample[:2], torch.full((len(sample[:2]),), last, device=sample.device))
        except Exception as error:
            raise ModelError(
                f"the data's classes have the numbers 0 to {last}, and the model does not take "
                f"{last} ({type(error).__name__}: {error})."
            ) from error

    def _listed(self) -> str:
        """ " (cat is 0, dog is 1)"; "" where classes are numbers already."""
        pairs = sorted(self.numbers.items(), key=lambda pair: pair[1])
        if all(name == str(number) for name, number in pairs):
            return ""
        shown = ", ".join(f"{name} is {number}" for name, number in pairs[:4])
        return f" ({shown}, and {len(pairs) - 4} more)" if len(pairs) > 4 else f" ({shown})"


def with_labels_fed(model: ModelParts, feed: LabelFeed) -> ModelParts:
    """The parts of a model as functions of images, or codes, alone."""

    def takes(function: Callable[..., Any]) -> bool:
        return len(model.required(function)) + len(model.optional(function)) > 1

    def part(name: str) -> Callable[[Tensor], Any] | None:
        found = model.part(name)
        return None if found is None else feed.bound(found, takes(found))

    in_training, training_graph = model.in_training, model.training_graph
    whole_takes = takes(model.forward)
    labels = feed.fed if whole_takes else None
    return replace(
        model,
        forward=feed.bound(model.forward, whole_takes),
        part=part,
        graph=partial(model.graph, labels=labels),
        required=lambda function: [],
        optional=lambda function: [],
        in_training=None if in_training is None else feed.bound(in_training, whole_takes),
        training_graph=training_graph and partial(training_graph, labels=labels),
        taken_by=lambda name: None,
        labels=feed,
    )


def _as_index(labels: Tensor) -> Tensor:
    return labels


def _in_rows(labels: Tensor) -> Tensor:
    return labels.float().unsqueeze(1)


def _one_hot(width: int) -> Form:
    return lambda labels: torch.nn.functional.one_hot(labels, width).float()
