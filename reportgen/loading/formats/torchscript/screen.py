"""Reads TorchScript source before torch does, and refuses what is not plain tensor code.

torch.jit.load runs `__setstate__` methods from the file, and running its code runs operators, some
of which write files. The source in an archive is Python's syntax, so every call in it can be
checked against the allow-list. The archive is then written anew from the records that were checked:
what was screened is what torch reads.
"""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from reportgen.errors import ModelError
from reportgen.loading.formats.archive import Archive, open_archive
from reportgen.loading.formats.torchscript.declared_types import (
    ClassPlan,
    DeclaredTypes,
    declared_classes,
)
from reportgen.loading.formats.torchscript.pickles import check_pickle
from reportgen.loading.graph.operators import ALLOWED, ASSERTIONS, names
from reportgen.loading.sentences import first_line, naming
from reportgen.shown import quoted

SOURCE_LIMIT = 16 * 1024 * 1024
# What the serialiser writes for Python's own operations on numbers, lists and strings.
_LANGUAGE = names(
    """
    add sub mul div floordiv truediv mod remainder neg eq ne lt le gt ge and or not __is__ __isnot__
    __not__ __and__ __or__ __contains__ __getitem__ __range_length __derive_index len append extend
    insert pop keys values items get list dict format str Int Float Bool IntImplicit FloatImplicit
    ScalarImplicit ceil floor round sqrt pow abs min max sum sorted reverse copy slice dim size
    numel     stride is_floating_point is_complex is_cuda item tensor as_tensor device warn
    NumToTensor
    _set_item _tensor_to_list unchecked_cast get_device is_contiguous equal manual_seed
    percentFormat join strip split lower upper replace startswith endswith find index count
    is_grad_enabled set_grad_enabled autocast_cpu_enabled is_autocast_enabled
    is_autocast_cpu_enabled to Size
    __interpolate upsample interpolate
    """
)
_NAMES = names(
    """
    annotate unchecked_cast uninitialized range isinstance int float bool str tuple list dict len
    getattr hasattr enumerate zip print min max Exception
    """
)
_PRIM = names(
    """
    RaiseException data device dtype layout is_cuda unchecked_unwrap_optional NumToTensor min max
    abs shape grad requires_grad ModuleContainerIndex rangelist Print type unchecked_cast is_sparse
    is_quantized is_nested is_mkldnn is_meta itemsize name index TupleIndex tolist annotate
    isinstance
    Uninitialized
    """
)
_KEPT = ("data.pkl", "constants.pkl", "version", ".data/version", "byteorder")
_KEPT_FOLDERS = ("data/", "constants/", "tensors/")


def screened_archive(path: Path) -> io.BytesIO:
    """A TorchScript archive with the checked records alone, for torch.jit.load.

    Raises ModelError for calls off the allow-list, state methods and custom C++ classes.
    """
    with open_archive(path) as archive:
        sources = [name for name in archive.names if name.startswith("code/")]
        total = sum(archive.size(name) for name in sources)
        if total > SOURCE_LIMIT:
            raise ModelError(
                f"{path} holds {total / 1e6:.0f} MB of source code; refused as unsafe."
            )
        classes: dict[str, ClassPlan] = {}
        for name in filter(_is_source, archive.names):
            for full, plan in _declared(archive, name):
                if full in classes:
                    raise _refused(path, f"two classes of the name {full}")
                classes[full] = plan
        types = DeclaredTypes(classes)
        rebuilt = io.BytesIO()
        with zipfile.ZipFile(rebuilt, "w", zipfile.ZIP_STORED) as copy:
            for name in archive.names:
                if _is_kept(name):
                    copy.writestr(f"archive/{name}", _screened_record(archive, name, types))
    rebuilt.seek(0)
    return rebuilt


def _is_source(name: str) -> bool:
    return name.startswith("code/") and name.endswith(".py")


def _is_kept(name: str) -> bool:
    return _is_source(name) or name in _KEPT or name.startswith(_KEPT_FOLDERS)


def _declared(archive: Archive, name: str) -> Iterator[tuple[str, ClassPlan]]:
    """The classes of a source, which is screened first."""
    tree = _parsed(archive.path, name, archive.read(name))
    _screen(archive.path, tree)
    with naming(archive.path):
        yield from declared_classes(name, tree)


def _screened_record(archive: Archive, name: str, types: DeclaredTypes) -> bytes:
    record = archive.read(name)
    if name.endswith(".pkl") and b"torch.classes" in record:
        raise _refused(archive.path, "a custom C++ class")
    if name.endswith(".pkl"):
        check_pickle(archive, name, record, types)
    return record


def _refused(path: Path, what: str) -> ModelError:
    return ModelError(
        f"{path} is TorchScript that uses {what}, which is not among what is known to be safe; "
        "save the model with torch.export.save, or pass --trust if you trust the file's origin."
    )


def _parsed(path: Path, name: str, source: bytes) -> ast.Module:
    try:
        return ast.parse(source.decode("utf-8"))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ModelError(
            f"{path}: the source {quoted(name)} in it cannot be read ({first_line(error)}), so it "
            "cannot be checked; save the model with torch.export.save, or pass --trust if you "
            "trust the file's origin."
        ) from error


def _screen(path: Path, tree: ast.Module) -> None:
    aliases = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _parts(node.value)[:1] == ["__torch__"]
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name in ("__setstate__", "__getstate__"):
            raise _refused(path, f"a method {node.name}, which runs while the file is opened")
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Lambda | ast.AsyncFunctionDef):
            raise _refused(path, f"{type(node).__name__} statements")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id not in _NAMES | aliases:
                raise _refused(path, f"the function {node.func.id}")
        elif isinstance(node, ast.Attribute | ast.Name) and id(node) not in inner:
            _screen_name(path, _parts(node))


def _screen_name(path: Path, parts: list[str]) -> None:
    """Check a dotted name, wherever it stands: a function can be given another name first."""
    root = parts[0] if parts else ""
    allowed_here = ALLOWED | ASSERTIONS | _LANGUAGE
    known: frozenset[str] | None = None
    if root == "torch":
        known = allowed_here if len(parts) == 2 else frozenset()
    elif root == "ops":
        groups = {"prim": _PRIM, "aten": allowed_here}
        known = groups.get(parts[1], frozenset()) if len(parts) == 3 else frozenset()
    if known is not None and parts[-1] not in known:
        raise _refused(path, f"the function {'.'.join(parts)}")
    if root == "__torch__" and "classes" in parts[1:3]:
        raise _refused(path, "a custom C++ class")


def _parts(node: ast.expr) -> list[str]:
    """["torch", "relu"] for torch.relu; empty where the root is not a plain name."""
    steps: list[str] = []
    while isinstance(node, ast.Attribute):
        steps.append(node.attr)
        node = node.value
    return [node.id, *reversed(steps)] if isinstance(node, ast.Name) else []
