"""TorchScript whose values are not what its source declares, and code that casts or divides."""

from pathlib import Path
from typing import NamedTuple, Optional

import pytest
import torch
from torch import Tensor, nn

from reportgen.errors import DataError, ModelError
from reportgen.loading.formats.torchscript.screen import screened_archive
from tests.loading.attacks import rewrite
from tests.loading.files import load
from tests.loading.image_array import random_images

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
GREY = (1, 4, 4)
OWN = f"__torch__.{__name__}"
SOURCE = f"model/code/{OWN.replace('.', '/')}.py"
RECTIFIER, ANOTHER = b"test_script_types\nRectifier\n", b"test_script_types\nBranches\n"
WIDE = "".join(f"  a{place} : int\n" for place in range(4000))
MANY = f"class Many:\n{WIDE}  def first(self: {OWN}.Many) -> int:\n    return self.a0\n"


@torch.jit.script
class One:
    def __init__(self) -> None:
        self.a: int = 7


class Both(NamedTuple):
    values: Tensor
    count: int


class Rectifier(nn.Module):
    """Scripted here alone: torch numbers a class of its own that was scripted in other forms."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


class Branches(nn.Module):
    """Runs as the code that it is: one of its halves branches on pixels."""

    both: Both
    pair: tuple[int, int]
    by_name: dict[str, list[int]]
    perhaps: Optional[tuple[int, int]]  # noqa: UP045

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Sequential(nn.Linear(16, 3)), nn.Linear(3, 16)
        self.pair, self.perhaps, self.by_name = (1, 2), (0, 0), {"a": [0]}
        self.tensors, self.numbers = [torch.zeros(1)], [0, 1]
        self.both = Both(torch.zeros(1), 0)
        self.parts = nn.ModuleDict({"a-b": Rectifier()})

    @torch.jit.export
    def encode(self, x: Tensor) -> Tensor:
        if float(x.max()) > 1.5:
            x = x / 255
        one = One()
        perhaps = self.perhaps
        if perhaps is not None:
            x = x + perhaps[0]
        first, second = self.pair
        z = self.down(x.flatten(1)) + self.tensors[0] + self.by_name["a"][0] + self.numbers[0]
        z = z + self.both.values + self.both.count
        return z + (one.a - 7) + (2 * first - second) + x.size(1) % 1

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return self.up(z).view(-1, 1, 4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))


@pytest.fixture
def scripted(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    torch.jit.script(Branches().eval()).save(str(tmp_path / "model.pt"))
    return tmp_path / "model.pt"


def test_what_torch_writes_runs(scripted: Path) -> None:
    images = random_images(GREY)
    found, pixels = load(scripted, images), torch.from_numpy(images.pixels)
    with torch.no_grad():
        torch.testing.assert_close(found.encode(pixels), torch.jit.load(scripted).encode(pixels))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # A tuple of one, an object of another class, and lists of others.
        (b"K\x01K\x02\x86", b"K\x01\x85"),
        (b"Dict[str, List[int]]", b"Dict[str, Tuple[()]]"),
        (b"Dict[str, List[int]]", b"__torch__.BranchesXX"),
        (RECTIFIER, ANOTHER),
    ],
)
def test_values_that_are_not_as_declared_are_refused(
    scripted: Path, before: bytes, after: bytes
) -> None:
    def change(content: bytes) -> bytes:
        assert before in content
        return content.replace(before, after)

    rewrite(scripted, {"model/data.pkl": change})
    with pytest.raises(ModelError, match=r"declared to be|of no attributes"):
        screened_archive(scripted)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"x0 = torch.add(x0, unchecked_cast({OWN}.Many, one).a3999)", "one of another type"),
        ("x0 = torch.add(x0, torch.remainder(5, torch.size(x0, 0)))", "divides whole numbers"),
        ("x0 = torch.to(x0, False, True)", "copies a tensor to no type"),
        ("x0 = torch.to(x0, None, False, True)", "copies a tensor to no type"),
    ],
)
def test_code_that_reads_beside_its_values_is_not_run(scripted: Path, line: str, said: str) -> None:
    def change(content: bytes) -> bytes:
        source = content.decode()
        place = source.index("    perhaps = self.perhaps")
        return f"{source[:place]}    {line}\n{source[place:]}{MANY}".encode()

    rewrite(scripted, {SOURCE: change})
    with pytest.raises((ModelError, DataError), match=said):
        load(scripted, random_images(GREY))
