"""What it costs to take densities at z of a random subset of the inputs instead of all.

Of many inputs an audit evaluates the mixture of all of them at z of some of them.
``python -m bench.calibration.subset mnist latent_dim-8 latent_dim-16 --results DIR`` takes trained
models of a matrix, as a run has stored them in DIR or trained anew, evaluates at all inputs once
and at many subsets, and writes the table from which a paragraph of ``validity.md`` is made; half a
minute a model of 54,000 inputs.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import torch
import typer

from bench.calibration.bands import clopper_pearson
from bench.calibration.measured import code_of
from bench.matrix.language import load
from bench.rows import write_rows
from bench.run.model_store import trained
from bench.run.models import dataset_of
from bench.run.plan import plan
from vaelib.audits.densities import SHARE, points_of
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Prior
from vaelib.seeding import stream
from vaelib.stats.divergences import decompose, leave_one_out_kl

__all__ = ["NAMES", "TABLE", "both_ways", "subset_sentence"]

TABLE = "subset"
"""Its name, beside the tables of the validity page."""

SUBSETS = 20
"""Of each model."""

NAMES = {"marginal_kl": "KL(q_N‖p)", "marginal_kl_loo": "its leave-one-out end"}
"""Of the metrics that are compared."""

_PRINTED = 1.96  # standard errors to each side of what an audit prints


def both_ways(
    q: AggregatePosterior, prior: Prior, split: str, seed: int
) -> Iterator[dict[str, Any]]:
    """Evaluate KL(q_N‖p) and its leave-one-out end at all inputs, and at subsets.

    Args:
        q: the mixture, of more inputs than an audit evaluates.
        prior: the prior.
        split: named in the rows.
        seed: of the streams.

    Yields:
        Rows of both metrics: their value and standard error at all inputs and at the first subset,
        in nats, and how many of `SUBSETS` intervals at a subset hold the value at all inputs. That
        has a standard error too, by which the intervals are wider.

    Raises:
        ValueError: where an audit evaluates at all inputs anyway.
    """
    few = points_of(q, SHARE)
    if few is None or few >= q.components:
        raise ValueError(
            f"expected more inputs than are evaluated, got {q.components:,}, of which all are; "
            "take a larger data set"
        )
    for metric in ("marginal_kl", "marginal_kl_loo"):
        whole = _estimate(metric, q, prior, stream(f"all {split}", seed), None)
        parts = [
            _estimate(metric, q, prior, stream(f"subset {number} {split}", seed), few)
            for number in range(SUBSETS)
        ]
        held = [
            abs(value - whole[0]) <= _PRINTED * (error**2 + whole[1] ** 2) ** 0.5
            for value, error in parts
        ]
        yield {
            "seed": seed,
            "split": split,
            "D": q.latent_dim,
            "N": q.components,
            "points": few,
            "metric": metric,
            "all": whole[0],
            "all_error": whole[1],
            "subset": parts[0][0],
            "subset_error": parts[0][1],
            "mean_of_subsets": sum(value for value, _ in parts) / SUBSETS,
            "subsets": SUBSETS,
            "held": sum(held),
        }


def _estimate(
    metric: str, q: AggregatePosterior, prior: Prior, generator: torch.Generator, few: int | None
) -> tuple[float, float]:
    with torch.no_grad():
        if metric == "marginal_kl_loo":
            return leave_one_out_kl(q, prior, generator, 1, few)
        split = decompose(q, prior, generator, 1, few)
    return split.marginal_kl, split.standard_error


def subset_sentence(table: pd.DataFrame) -> str:
    """Say whether a subset makes a difference beyond its standard error.

    Args:
        table: as `main` writes it.

    Returns:
        Sentences in Markdown.
    """
    models = table.groupby(["matrix", "config", "seed"]).ngroups
    configs = ", ".join(
        f"`{name}` of {matrix} (D = {part['D'].iloc[0]})"
        for (matrix, name), part in table.groupby(["matrix", "config"], sort=False)
    )
    inputs = f"{table['points'].min():,} of {table['N'].max():,} inputs"
    parts = [
        f"of {NAMES[str(metric)]} the first subset is off by "
        f"{(part['subset'] - part['all']).abs().mean():.2g} nats on average, where its standard "
        f"error is {part['subset_error'].mean():.2g}, and the mean of all by "
        f"{(part['mean_of_subsets'] - part['all']).abs().max():.2g} at most"
        for metric, part in table.groupby("metric", sort=False)
    ]
    held, count = int(table["held"].sum()), int(table["subsets"].sum())
    low, high = clopper_pearson(held, count)
    return (
        f"Of many inputs densities are taken at z of a random subset, {inputs}, under the mixture "
        f"of all. Of {models} trained models, {configs}, KL(q_N‖p) and its leave-one-out end were "
        f"taken at all inputs too: {'; '.join(parts)}. Of {count:,} "
        f"subsets {held:,} lie within 1.96 standard errors of the difference "
        f"({held / count:.1%}; exact 95 % interval {low:.1%} to {high:.1%}; subsets of one model "
        "share what they are compared with)."
    )


def main(
    matrix: Annotated[str, typer.Argument(help="A shipped matrix or the path of one.")],
    configs: Annotated[list[str], typer.Argument(help="Configurations of it.")],
    results: Annotated[Path, typer.Option(help="Where a run stored its models.")] = Path("results"),
    out: Annotated[Path, typer.Option(help="Folder of all results to write to.")] = Path("results"),
) -> None:
    """Evaluate the models of some configurations both ways; write the table, say the sentence."""
    torch.set_num_threads(1)
    laid = plan(load(matrix), results)
    if missing := set(configs) - {job.name for job in laid.jobs}:
        known = ", ".join(dict.fromkeys(job.name for job in laid.jobs))
        raise typer.BadParameter(
            f"expected configurations of {laid.matrix.name}, got {', '.join(sorted(missing))}; "
            f"it has {known}"
        )
    rows = []
    for job in laid.jobs:
        if job.name not in configs:
            continue
        data = dataset_of(job.configuration["dataset"])
        for replicate in trained(job, data, data.x).values():
            model = replicate.model
            posterior = AggregatePosterior(*model.posterior(data.x[replicate.split.train]))
            prior = model.resolved_prior()
            for row in both_ways(posterior, prior, "train", replicate.seed):
                rows.append({"matrix": laid.matrix.name, "config": job.name} | row)
                print(rows[-1], flush=True)
    table = pd.DataFrame(rows).assign(code=code_of(TABLE))
    write_rows(out / "validity" / f"{TABLE}.csv", table)
    print(subset_sentence(table))


if __name__ == "__main__":
    typer.run(main)
