"""Checks that objects in a TorchScript archive hold what its source declares.

torch does not: it lays the values of a pickle into the places that the class has, and its
interpreter reads the places that the declared class has. Where that is another class, or a longer
tuple, it reads beside the object.
"""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reportgen.errors import ModelError
from reportgen.loading.graph.operators import names
from reportgen.shown import quoted

# Values that are compared with types at the most: a pickle may hold one list many times.
MOST_COMPARED = 1_000_000
# Values of other types torch refuses where it uses them.
PLAIN = names(
    """
    Tensor int float bool str complex number NoneType Device Layout Any Union Generator Storage
    AnyEnumType
    """
)


@dataclass(frozen=True)
class ClassPlan:
    """A class as the source declares it.

    Attributes
    ----------
    base : "Module", "NamedTuple", "Enum", "Interface", …; "" for a plain class.
    attributes : the declared type of each, in their order.
    """

    base: str
    attributes: Mapping[str, ast.expr]


def declared_classes(name: str, tree: ast.Module) -> Iterator[tuple[str, ClassPlan]]:
    """The classes of a source by their full names; `name` is the record's, under code/."""
    module = name.removeprefix("code/").removesuffix(".py").replace("/", ".")
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            base = node.bases[0].id if node.bases and isinstance(node.bases[0], ast.Name) else ""
            listed = list(_attributes(node))
            if len(dict(listed)) < len(listed):
                raise ModelError(f"its source declares an attribute of {node.name} twice")
            yield f"{module}.{node.name}", ClassPlan(base, dict(listed))


def _attributes(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            # With a value it is a constant, which no pickle sets.
            if line.value is None:
                yield line.target.id, line.annotation
        elif isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Subscript):
            # Names that Python does not have stand so: __annotations__["0"] = …
            place = line.targets[0].slice
            if isinstance(place, ast.Constant) and isinstance(place.value, str):
                yield place.value, line.value


@dataclass
class Made:
    """An object of a pickle.

    Attributes
    ----------
    name : of its class or of the function that makes it.
    made_of : what it is made of.
    state : what it is given afterwards.
    """

    name: str
    made_of: Any
    state: list[Any]


class DeclaredTypes:
    """The declared classes of an archive; checks values against them."""

    def __init__(self, classes: Mapping[str, ClassPlan]) -> None:
        self._classes = classes
        self._compared = 0

    def check_object(self, made: Made) -> None:
        """Raise UnpicklingError where a value of an object is not of the type declared for it."""
        plan = self._classes.get(made.name)
        if plan is None or len(made.state) != 1 or not isinstance(made.state[0], dict):
            raise pickle.UnpicklingError(f"it makes a {quoted(made.name)} of no attributes")
        for name, kind in plan.attributes.items():
            if name in made.state[0] and not self.fits(made.state[0][name], kind):
                raise pickle.UnpicklingError(
                    f"{quoted(name)} of a {quoted(made.name)} is not what it is declared to be"
                )

    def check_tagged(self, made_of: tuple[Any, ...]) -> None:
        """The same for a value that the pickle itself says the type of."""
        if len(made_of) != 2 or not isinstance(made_of[1], str):
            raise pickle.UnpicklingError("it tags a value with something else than a type")
        if not self.fits(made_of[0], ast.parse(made_of[1], mode="eval").body):
            raise pickle.UnpicklingError("a value in it is not what it is declared to be")

    def fits(self, value: Any, kind: ast.expr) -> bool:
        """Tell whether a value has the classes and the lengths of a declared type."""
        self._compared += 1
        if self._compared > MOST_COMPARED:
            raise pickle.UnpicklingError("its values are too many to compare with their types")
        while isinstance(value, Made) and value.name.startswith("torch.jit._pickle."):
            # A list, or anything else, that is tagged with a type.
            value = value.made_of[0] if value.made_of else None
        if isinstance(kind, ast.Subscript):
            return self._fits_generic(value, _full_name(kind.value), _parts(kind.slice))
        name = _full_name(kind)
        if not name.startswith("__torch__."):
            return name in PLAIN
        plan = self._classes.get(name)
        if plan is None:
            return False
        if plan.base == "NamedTuple":
            # Torch writes it as a plain tuple.
            return self._fit_each(value, list(plan.attributes.values()))
        return isinstance(value, Made) and value.name == name and plan.base in ("", "Module")

    def _fits_generic(self, value: Any, name: str, kinds: list[ast.expr]) -> bool:
        if name == "Optional":
            return value is None or self.fits(value, kinds[0])
        if name == "Tuple":
            return self._fit_each(value, kinds)
        if name == "List":
            return isinstance(value, list) and all(self.fits(each, kinds[0]) for each in value)
        if name == "Dict" and len(kinds) == 2:
            # Keys that are no plain values stand for themselves here, and are none of a class.
            return not isinstance(kinds[0], ast.Subscript) and all(
                self.fits(each, kinds[1]) for each in _values(value)
            )
        return name == "Union"

    def _fit_each(self, values: Any, kinds: list[ast.expr]) -> bool:
        return (
            type(values) is tuple
            and len(values) == len(kinds)
            and all(self.fits(value, kind) for value, kind in zip(values, kinds, strict=True))
        )


def _values(dictionary: Any) -> list[Any]:
    """The values of a plain dictionary, or of an ordered one, which is made and then filled."""
    if isinstance(dictionary, Made):
        return [value for items in dictionary.state for value in items[1::2]]
    return list(dictionary.values()) if isinstance(dictionary, dict) else [dictionary]


def _parts(kind: ast.expr) -> list[ast.expr]:
    return kind.elts if isinstance(kind, ast.Tuple) else [kind]


def _full_name(kind: ast.expr) -> str:
    if isinstance(kind, ast.Attribute):
        return f"{_full_name(kind.value)}.{kind.attr}"
    if isinstance(kind, ast.Constant) and kind.value is None:
        return "NoneType"
    return kind.id if isinstance(kind, ast.Name) else ""
