"""One command for an hour: python -m tests.fuzz --seconds 3600 --seed 1."""

from __future__ import annotations

import argparse
import itertools
import json
from collections import Counter
from pathlib import Path

from tests.fuzz.one_thread import one_thread

one_thread()

from tests.fuzz.campaign import Campaign, Mutant, mutants  # noqa: E402
from tests.fuzz.reading import SUBJECTS  # noqa: E402
from tests.fuzz.table import table_of  # noqa: E402


def main() -> None:
    """Try mutants until the time is over, file those that fail, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, help="how long [default: until --count]")
    parser.add_argument("--count", type=int, help="how many mutants [default: until --seconds]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--formats", nargs="*", choices=list(SUBJECTS), default=list(SUBJECTS))
    parser.add_argument("--found", type=Path, default=Path("fuzz-found"), help="for what fails")
    parser.add_argument("--totals", type=Path, help="a JSON file that these counts are added to")
    parser.add_argument(
        "--again", metavar="FORMAT:NUMBER", help="one mutant again, with its output"
    )
    said = parser.parse_args()
    if said.seconds is said.count is said.again is None:
        parser.error("give --seconds or --count")
    with Campaign(said.found) as campaign:
        if said.again:
            name, _, number = said.again.partition(":")
            print(campaign.try_one(Mutant(said.seed, name, int(number)), loud=True))
            return
        # Of a file that is not read as it stands, mutants say nothing.
        if unread := campaign.try_originals(said.formats):
            parser.exit(1, f"Not read as they stand: {unread}\n")
        campaign.run(itertools.islice(mutants(said.seed, said.formats), said.count), said.seconds)
    counts = campaign.counts
    if said.totals is not None:
        counts = added(said.totals, counts)
    print(table_of(counts))


def added(file: Path, counts: dict[str, Counter[str]]) -> dict[str, Counter[str]]:
    """The counts together with those in a file, which is written anew."""
    before = json.loads(file.read_text()) if file.exists() else {}
    together = {name: Counter(before.get(name, {})) + found for name, found in counts.items()}
    file.write_text(json.dumps(together, indent=1))
    return together


if __name__ == "__main__":
    main()
