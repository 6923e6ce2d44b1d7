"""Random cases of all operators on all emulated cores, byte for byte against the references.

It counts the cases that were compared, and fails if any is wrong, if they are fewer than asked, or
if a kernel saw none. Each case has an address, from which it is drawn again: ``make nightly
CASE=...``. Cases that were wrong go into seeds.toml, which `make test` runs.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from nightly_cases import FAMILIES, FORMS, Batch, boards, case_at, emulated_cases, plan
from nightly_machines import Outcome, run_batch, run_group
from rich.table import Table
from tqdm import tqdm

from tvm_embbert.commands.output import console
from tvm_embbert.errors import UsageError
from tvm_embbert.folder import write_text
from tvm_embbert.strategy import registry

SEEDS = Path(__file__).with_name("seeds.toml")
SHOWN = 20
"""Wrong cases of a batch that are printed."""
LEAST_SHARE = 0.002
"""Share of the cases that each kernel must have been given, of what `WHOLE_TURNS` have."""
WHOLE_TURNS = len(FAMILIES) * len(FORMS) * len(boards())
"""Batches in which each board and operator had cases of all families of sizes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run batches, or one case alone; returns 1 if anything was wrong or too little was run."""
    options = _parser().parse_args(arguments)
    try:
        if options.case:
            return run_case(options.case)
        return run_plan(plan(options.seed, options.cases), options.first, options.cases)
    except UsageError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def run_plan(planned: Sequence[Batch], first: int, cases: int) -> int:
    """Run the batches of a plan from `first` on; `cases` are asked of the whole plan."""
    done, batches = planned[:first], planned[first:]
    if first < 0 or not batches:
        supported = f"0 to {len(planned) - 1}"
        raise UsageError("There is no such batch.", where=f"batch {first}", supported=supported)
    print(f"seed {batches[0].seed}, {len(batches)} of {len(planned)} batches", flush=True)
    outcome = run_all(batches, first)
    console().print(table(outcome))
    faults = [f"{len(outcome.wrong)} cases were wrong"] if outcome.wrong else []
    faults += missing(outcome, cases - emulated_cases(done))
    faults += scarce(outcome) if len(batches) > WHOLE_TURNS else []
    for line in faults:
        print(line, file=sys.stderr)
    return 1 if faults else 0


def run_case(address: str) -> int:
    """Run the case at an address; returns 1 if it is wrong."""
    batch, case = case_at(address)
    outcome = run_group(batch, [case])
    for line in wrong_lines(outcome):
        print(line, file=sys.stderr)
    print(f"{sum(outcome.compared.values())} case right, {len(outcome.wrong)} wrong")
    return 1 if outcome.wrong else 0


def run_all(batches: Sequence[Batch], first: int = 0) -> Outcome:
    """Run batches with a progress bar, which says where an interrupted run can go on.

    What is wrong is printed and stored at once.
    """
    outcome = Outcome()
    with tqdm(
        total=sum(b.size for b in batches),
        unit="case",
        mininterval=1.0 if sys.stderr.isatty() else 30.0,
    ) as bar:
        for number, batch in enumerate(batches, first):
            bar.set_postfix_str(f"FROM={number} {batch.operator} on {batch.board}")
            found = run_batch(batch)
            for line in wrong_lines(found):
                bar.write(line, file=sys.stderr)
            store(sorted(found.wrong))
            outcome.add(found)
            bar.update(batch.size)
    return outcome


def wrong_lines(outcome: Outcome) -> list[str]:
    """Return a line for each wrong case, with the command that runs it alone."""
    lines = [f"{what}\n  again: make nightly CASE={at}" for at, what in outcome.wrong.items()]
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"and {more} more wrong cases"] if more > 0 else [])]


def missing(outcome: Outcome, asked: int) -> list[str]:
    """Return a line if fewer cases were compared on emulated boards than were asked for."""
    ran = outcome.emulated()
    return [f"{ran:,} cases were compared, {asked:,} were asked for"] if ran < asked else []


def scarce(outcome: Outcome) -> list[str]:
    """Return a line if a kernel of an instruction set was given hardly any cases."""
    given = {(isa, o): 0 for o in _operators() for isa in _sets(o)}
    for (_, isa, operator), count in outcome.compared.items():
        given[isa, operator] += count
    least = int(outcome.emulated() * LEAST_SHARE)
    few = [f"{operator}.{isa} ({n})" for (isa, operator), n in given.items() if n < least]
    return [f"fewer than {least:,} cases of {', '.join(few)}"] if few else []


def _operators() -> list[str]:
    return [o.name for o in registry.operators() if registry.implementations(o.name)]


def _sets(operator: str) -> list[str]:
    return [i.isa for i in registry.implementations(operator)]


def table(outcome: Outcome) -> Table:
    """Return how many cases were compared, by board, instruction set and operator."""
    operators = _operators()
    made = Table("board", "kernels", *operators, "all", box=None, pad_edge=False)
    rows = sorted({(board, isa) for board, isa, _ in outcome.compared})
    for board, isa in rows:
        counts = [outcome.compared[board, isa, o] for o in operators]
        made.add_row(board, isa, *(f"{n:,}" for n in [*counts, sum(counts)]))
    totals = [sum(n for (*_, o), n in outcome.compared.items() if o == name) for name in operators]
    made.add_row("all", "", *(f"{n:,}" for n in [*totals, sum(totals)]))
    return made


def stored() -> list[str]:
    """Return the addresses in seeds.toml."""
    return [str(at) for at in tomllib.loads(SEEDS.read_text(encoding="utf-8"))["cases"]]


def store(wrong: Sequence[str]) -> None:
    """Add wrong cases to seeds.toml, one of each board and operator."""
    firsts = {tuple(at.split("/")[1:3]): at for at in reversed(wrong) if " " not in at}
    new = [at for at in firsts.values() if at not in stored()]
    if new:
        text = SEEDS.read_text(encoding="utf-8")
        lines = "".join(f'  "{at}",\n' for at in new)
        write_text(SEEDS, text.replace("\n]\n", f"\n{lines}]\n"))
        print(f"{len(new)} wrong cases were added to {SEEDS.name}: commit them with the repair")


def _parser() -> argparse.ArgumentParser:
    today = int(f"{date.today():%Y%m%d}")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--cases", type=int, default=100_000, help="how many at least (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=today, help="another run (today's date)")
    parser.add_argument("--first", type=int, default=0, help="batch to go on from (%(default)s)")
    parser.add_argument("--case", default="", help="address of one case to run alone")
    return parser


if __name__ == "__main__":
    sys.exit(main())
