"""Rows of the answers measured again by the present code, where other code measured the table.

Hours of audits are not run anew for every change of the code that decides them. ``python -m
bench.calibration.again --tasks 100`` takes tasks of ``validity/answers.csv`` at random, runs them
by the code as it is, and writes each row as it was and as it is; the page says how far apart they
are.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import torch
import typer

from bench.calibration.answers.audits import answer_rows, answers_code, kept_answers
from bench.calibration.experiments import Answer
from bench.calibration.task import Rows, Task
from bench.calibration.verdicts import raw_table
from bench.rows import write_rows
from bench.run.progress import counted
from vaelib.seeding import stream

__all__ = ["COMPARED", "TABLE", "again_sentence", "apart", "rows_again"]

TABLE = "again"
"""Its name, beside the tables of the validity page."""

COMPARED = ("lower", "upper", "gain", "p")
"""The numbers that are compared; the three before the last are in nats."""

_SETTING = ("kind", "n", "D", "kl", "part", "seed")


def rows_again(task: Task[Answer], before: Rows) -> Iterator[dict[str, Any]]:
    """Run one task again.

    Args:
        task: which.
        before: its rows as they were, in their order.

    Yields:
        Each row's setting, the hash of both codes, and the word and the numbers of both.

    Raises:
        ValueError: where the task now draws other audits than it did: their seeds differ.
    """
    for then, now in zip(before, answer_rows(task), strict=True):
        if then["seed"] != now["seed"]:
            raise ValueError(
                f"expected the audit of seed {then['seed']} of {task.experiment.name}, got that of "
                f"seed {now['seed']}; the law draws other latents now, so measure the table anew"
            )
        row = {name: then[name] for name in _SETTING}
        row |= {"code_before": then["code"], "code": now["code"]}
        for name in ("verdict", *COMPARED):
            row |= {f"{name}_before": then[name], name: now[name]}
        yield row


def again_sentence(table: pd.DataFrame) -> str:
    """Say how far apart the rows are.

    Args:
        table: as `main` writes it.

    Returns:
        One sentence.
    """
    words = int((table["verdict"] != table["verdict_before"]).sum())
    nats = max(apart(table, name) for name in COMPARED[:-1])
    present = set(table["code"].astype(str)) == {answers_code()}
    code = "the present code" if present else f"code of the hash `{table['code'].iloc[-1]}`"
    said = "every word is the same" if not words else counted(words, "word is", "words are")
    said += "" if not words else " another"
    return (
        f"{len(table):,} audits, taken at random, were measured again by {code}: {said}, the ends "
        f"and the gain differ by up to {nats:.2g} nats, p-values by {apart(table, 'p'):.2g}."
    )


def apart(table: pd.DataFrame, name: str) -> float:
    """The largest difference of a number between what was and what is.

    Args:
        table: as `main` writes it.
        name: of `COMPARED`.

    Returns:
        It; infinite where the number is there only once.
    """
    then, now = table[f"{name}_before"], table[name]
    if (then.isna() != now.isna()).any():
        return math.inf
    return float((then - now).abs().max()) if now.notna().any() else 0.0


def main(
    tasks: Annotated[int, typer.Option(min=1, help="How many, of up to three audits each.")] = 100,
    results: Annotated[Path, typer.Option(help="Folder of all results.")] = Path("results"),
) -> None:
    """Run tasks at random again; write the table, say the sentence."""
    torch.set_num_threads(1)
    known = list(kept_answers(raw_table(results / "validity", "answers")))
    order = torch.randperm(len(known), generator=stream("measured again", 0)).tolist()
    rows: list[dict[str, object]] = []
    for position in order[:tasks]:
        task, before = known[position]
        rows += rows_again(task, before)
        print(task.experiment.name, len(rows), flush=True)
    table = pd.DataFrame(rows)
    write_rows(results / "validity" / f"{TABLE}.csv", table)
    print(again_sentence(table))


if __name__ == "__main__":
    typer.run(main)
