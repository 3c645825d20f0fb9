"""What the terminal shows once a report is written."""

from reportgen.command.summary import size_lines


def test_the_size_of_every_part_of_the_page_is_shown_largest_first():
    sizes = {"head": 214_400, "units": 441_000, "partial_reconstruction": 90, "method": 21_000}
    lines = size_lines(sizes)
    assert " ".join(line.strip() for line in lines).replace("\u202f", " ") == (
        "Size: units 441 kB, scripts and results 214 kB, method 21.0 kB, "
        "partial reconstruction 90 B"
    )
    assert all(len(line) <= 100 for line in size_lines({f"section {n}": n for n in range(30)}))
