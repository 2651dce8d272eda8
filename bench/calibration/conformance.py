"""What three estimators of papers return where the KL is known: ``results/conformance.md``.

``python -m bench.calibration.conformance`` runs them, and the suite's own lower end, as ``vaebench
conform`` does, and writes the table and the page; ``--rebuild`` writes the page from the table. It
takes ten minutes.
"""

import csv
import io
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
import typer
from torch import Tensor

from bench.calibration.elsewhere import (
    BATCH,
    EPOCHS,
    HIDDEN,
    NEIGHBOURS,
    discriminator,
    minibatch_weighted,
    nearest_neighbours,
)
from bench.report.markdown import markdown
from vaelib.files import write_atomically
from vaelib.reading import read_bytes
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.certify import certify
from vaelib.worlds.conform import SEEDS, conform
from vaelib.worlds.given import FITTED, HELD_OUT
from vaelib.worlds.words import FAULTS, MEANING, Kind

__all__ = ["RUNS", "Row", "lower_end", "page", "read", "rows", "written"]


class Row(NamedTuple):
    """What one estimator returned in one world; KL, mean and sd in nats."""

    estimator: str
    world: str
    dimensions: int
    kl: float
    mean: float
    sd: float
    word: str


def lower_end(
    z: Tensor,
    train_z: Tensor,
    generator: torch.Generator,
    train_mean: Tensor | None = None,
    train_scale: Tensor | None = None,
    mean: Tensor | None = None,
) -> float:
    """The suite's own proved lower end, of level .975.

    Args:
        z: held-out, shape (n, D).
        train_z: of other inputs, shape (N, D), that candidates are fitted to where there are no
            posteriors.
        generator: of fits and order.
        train_mean: the means of the posteriors of these.
        train_scale: their standard deviations.
        mean: the means of the posteriors of z.

    Returns:
        The lower end, in nats.
    """
    if train_mean is None or train_scale is None:
        fitted = Posteriors(train_z, torch.zeros_like(train_z))
    else:
        fitted = Posteriors(train_mean, train_scale)
    return certify(fitted, z, generator, means=mean).lower


RUNS: dict[str, tuple[Callable[..., float], Kind]] = {
    "k-NN": (nearest_neighbours, "estimate"),
    "minibatch": (minibatch_weighted, "estimate"),
    "discriminator": (discriminator, "estimate"),
    "lower end": (lower_end, "lower"),
}
"""By the names on the page; the last is the suite's own."""


def rows(name: str, worlds: Sequence[str] | None = None, seeds: int = SEEDS) -> list[Row]:
    """Run one of `RUNS`.

    Args:
        name: of it.
        worlds: their names; all where None.
        seeds: draws of each world.

    Returns:
        A row for each world.
    """
    function, kind = RUNS[name]
    found = conform(function, kind, worlds, seeds, lambda world: print(name, world, flush=True))
    return [
        Row(name, row.world, row.dimensions, row.kl, row.mean, row.spread, row.word)
        for row in found.rows
    ]


def written(found: Iterable[Row]) -> str:
    """Rows as a table of comma-separated values; what is not known is empty.

    Args:
        found: the rows.

    Returns:
        The text.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["estimator", "world", "D", "kl", "mean", "sd", "word"])
    for row in found:
        numbers = ("" if math.isnan(one) else f"{one:.6g}" for one in (row.kl, row.mean, row.sd))
        writer.writerow([row.estimator, row.world, row.dimensions, *numbers, row.word])
    return out.getvalue()


def read(text: str) -> list[Row]:
    """Rows of such a table.

    Args:
        text: as `written` returns it.

    Returns:
        The rows.
    """
    return [
        Row(
            one["estimator"],
            one["world"],
            int(one["D"]),
            float(one["kl"]),
            float(one["mean"] or "nan"),
            float(one["sd"] or "nan"),
            one["word"],
        )
        for one in csv.DictReader(io.StringIO(text))
    ]


def page(found: Sequence[Row]) -> str:
    """The page.

    Args:
        found: rows of every one of `RUNS` in the same worlds.

    Returns:
        Markdown.
    """
    runs = {name: {row.world: row for row in found if row.estimator == name} for name in RUNS}
    own = list(runs.pop("lower end").values())
    lines = [
        [
            row.world,
            str(row.dimensions),
            f"{row.kl:.4g}",
            *(_cell(run[row.world]) for run in runs.values()),
        ]
        for row in own
    ]
    counts = "; ".join(f"**{name}** {_counts(list(run.values()))}" for name, run in runs.items())
    holds = sum(row.word == "holds" for row in own)
    reached = 100 * statistics.median(row.mean / row.kl for row in own if row.kl > 0)
    parts = [
        "# What a reader of papers should not believe",
        f"Three estimators of KL(q‖N(0, I)) as papers on VAEs use them, on {len(own)} laws whose "
        f"KL is known: {counts}. The suite's own lower end, which claims less, holds in {holds} of "
        f"{len(own)}, and is {reached:.0f} % of the KL in the median of those where that is not 0.",
        markdown(["world", "D", "KL", *runs], lines),
        f"The mean in nats over {SEEDS} draws, and the word; bold is what deviates. Each draw "
        f"gives {HELD_OUT:,} z and {FITTED:,} others to fit to, with their posteriors where the "
        f"law has any. {MEANING['estimate']}",
        "## How they are computed",
        _ways({name: list(run.values()) for name, run in runs.items()}),
        "The functions are in `bench/calibration/elsewhere.py`, the numbers, with those of the "
        "lower end, in [conformance/table.csv](conformance/table.csv); `python -m "
        "bench.calibration.conformance` writes both anew. Yours: `vaebench conform my_model:kl`.",
    ]
    return "\n\n".join(parts) + "\n"


def _cell(row: Row) -> str:
    if math.isnan(row.mean):
        return row.word
    text = f"{row.mean:.4g} {row.word}"
    return f"**{text}**" if row.word in FAULTS else text


def _counts(found: Sequence[Row]) -> str:
    given = [row for row in found if row.word != "no posteriors"]
    told = f"is right in {sum(row.word == 'right' for row in given)} of {len(given)}"
    if len(given) < len(found):
        told += " that have posteriors"
    below = sum(
        row.word == "wrong sign" or (row.word == "biased low" and row.kl == 0) for row in given
    )
    return f"{told}, and negative in {below}, which no KL is" if below else told


def _ways(runs: dict[str, list[Row]]) -> str:
    def worst(name: str) -> str:
        answered = [row for row in runs[name] if not math.isnan(row.mean)]
        row = max(answered, key=lambda one: abs(one.mean - one.kl))
        return f"Furthest off in {row.world}: {row.mean:.4g} instead of {row.kl:.4g} nats."

    return "\n".join(
        [
            f"- **k-NN** (Wang, Kulkarni & Verdú 2009): the {NEIGHBOURS}th neighbour of every z "
            "among the others and among as many draws of the prior. It takes densities for "
            "constant up to there, and in many dimensions every neighbour is far. "
            f"{worst('k-NN')}",
            "- **minibatch** (minibatch-weighted sampling, Chen et al. 2018): log q(z) from the "
            f"posteriors of M = {BATCH:,} of N = {HELD_OUT + FITTED:,} inputs, each weighted "
            "1/(NM). These weights add up to 1/N, so that log q(z) is too low by as much as log N "
            f"where posteriors overlap. {worst('minibatch')}",
            "- **discriminator** (as in adversarial variational Bayes, Mescheder et al. 2017): the "
            f"mean logit at held-out z of a network with two hidden layers of {HIDDEN}, trained "
            f"{EPOCHS} epochs to tell z from draws of the prior. Only of the best network is it "
            f"the KL; of others it is no bound either. {worst('discriminator')}",
        ]
    )


def main(
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Run this one, repeat for more; the others' rows stay."),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Write the page from the table that there is.")
    ] = False,
    results: Annotated[Path, typer.Option(help="The folder of both.")] = Path("results"),
) -> None:
    """Run the estimators; write what they returned, and the page."""
    for name in only or ():
        if name not in RUNS:
            raise typer.BadParameter(f"must be one of {', '.join(RUNS)}, got {name}")
    path = results / "conformance" / "table.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = read(read_bytes(path).decode()) if path.exists() else []
    torch.set_num_threads(1)
    for name in () if rebuild else (only or RUNS):
        kept = [row for row in kept if row.estimator != name] + rows(name)
        kept.sort(key=lambda row: list(RUNS).index(row.estimator))
        write_atomically(path, written(kept).encode())
    write_atomically(results / "conformance.md", page(kept).encode())


if __name__ == "__main__":
    typer.run(main)
