"""A made-up, deterministic frame of rows, shaped as the store writes it."""

import math

import numpy as np
import pandas as pd

from bench.analysis.arrays import write_arrays
from bench.commands.folder import claim
from bench.commands.report import write_pages
from bench.metrics.registry import METRICS
from bench.rows import COLUMNS, SCHEMA, read_rows, write_rows

SIZES = [2, 3, 4, 6, 8, 16, 32]
LAYERS = ["50", "200", "200-200", "200-200-200", "1000", "500-500"]
BASE = (2, "200-200")
INPUTS = {"train": 1078, "test": 360}
SATURATED = {"latent_dim-16", "latent_dim-32"}
ROW = dict.fromkeys(COLUMNS, "") | {"schema": SCHEMA}


def configurations() -> list[tuple[str, str, int, str]]:
    """Name, studies, latent_dim, encoder.hidden; the base stands in both studies."""
    listed = [("base", "latent size; encoder depth", *BASE)]
    listed += [(f"latent_dim-{d}", "latent size", d, BASE[1]) for d in SIZES if d != 2]
    return listed + [(f"encoder_hidden-{h}", "encoder depth", 2, h) for h in LAYERS if h != BASE[1]]


def measurements(rng, seed_effect: float, d: int, hidden: str, split: str) -> list[tuple]:
    """(source, metric, value, p-value) of one cell on one split."""
    n = INPUTS[split]
    layers = hidden.count("-") + 1
    noise = rng.normal(0, 0.02, 8)
    rate = 2.4 + 1.6 * math.log(d) + 0.1 * seed_effect + noise[0]
    saturated = rate > math.log(n) - 1
    excess = 0.05 * d if saturated else 0.45 - 0.09 * layers + 0.02 * math.log(d)
    excess = excess + 0.05 * seed_effect + noise[1] + (0.04 if split == "test" else 0)
    floor = max(rate - math.log(n), 0)
    null = floor + 0.25 + 0.1 * d + noise[2] / 4
    reconstruction = -95 + 9 * math.log(d) + 2 * layers + seed_effect + noise[3]
    reconstruction -= 4.0 if split == "test" else 0.0
    found = [
        ("rate", rate, np.nan),
        ("mutual_information", rate - null - excess, np.nan),
        ("marginal_kl", null + excess, np.nan),
        ("marginal_kl_floor", floor, np.nan),
        ("saturated", float(saturated), np.nan),
        ("marginal_kl_null", null, np.nan),
        ("marginal_kl_excess", excess, np.nan),
        ("moment_kl", 0.02 + abs(noise[4]), np.nan),
        ("second_moment", 1 + noise[5], np.nan),
        ("variance_law", abs(noise[6]), np.nan),
        ("active_units", float(min(d, 12)), np.nan),
        ("mmd_squared", 2e-4 + abs(noise[7]) / 100, np.nan),
        ("c2st_auc", 0.53 + noise[4], np.nan),
        ("mmd_test", 3.0, float(rng.choice([0.01, 0.2]))),
        ("marginal_kl_null_test", null + excess, 0.01 if not saturated else 0.4),
        ("elbo", reconstruction - rate, np.nan),
        ("reconstruction", reconstruction, np.nan),
    ]
    rows = [("", *one) for one in found]
    rows += [("gauge_fixed", "rate", rate - 0.02, np.nan)]
    rows += [("gauge_fixed", "marginal_kl_excess", excess - 0.02, np.nan)]
    if split == "test":
        ends = {"certified_kl": excess, "certified_kl_lower": max(0.0, excess - 0.05)}
        ends |= {"certified_kl_upper": null + excess, "certified_inputs": n, "copies": 0.0}
        rows += [("", metric, value, np.nan) for metric, value in ends.items()]
        for source, cost in (("prior", 0.1), ("gmm", 0.06), ("aggregate", 0.04)):
            rows.append((source, "frechet", 0.2 + cost + excess / 10 + noise[2], np.nan))
            rows.append((source, "coverage", 0.8 - cost + noise[3], np.nan))
    return rows


def synthetic_rows(seeds: int = 10) -> pd.DataFrame:
    """12 configurations × seeds, two studies, one failed and one diverged cell."""
    lost = {
        ("latent_dim-6", 3): ("failed", "RuntimeError: expected a | b\nbut got c"),
        ("encoder_hidden-1000", 7): ("diverged", "the loss was not finite at step 812"),
    }
    effects = np.random.default_rng(1).normal(0, 1, seeds)
    table = []
    for place, (config, study, d, hidden) in enumerate(configurations()):
        for seed in range(seeds):
            status, message = lost.get((config, seed), ("ok", ""))
            known = ROW | {
                "matrix": "synthetic",
                "study": study,
                "config": config,
                "cell": f"{place:02}{seed:02}",
                "dataset": "digits",
                "seed": seed,
                "status": status,
                "message": message,
                "seconds": 1.5,
                "latent_dim": d,
                "encoder.hidden": hidden,
            }
            known |= dict.fromkeys(["value", "standard_error", "p_value"], np.nan)
            if status != "ok":
                table.append(known)
                continue
            rng = np.random.default_rng([place, seed])
            for split in INPUTS:
                for source, metric, value, p in measurements(rng, effects[seed], d, hidden, split):
                    found = {"split": split, "source": source, "metric": metric, "value": value}
                    table.append(known | found | {"p_value": p, "unit": METRICS[metric].unit})
    return pd.DataFrame(table, columns=[*COLUMNS, "latent_dim", "encoder.hidden"])


def synthetic_frame(folder) -> pd.DataFrame:
    """The rows as an analysis reads them back from a file in the folder."""
    write_rows(folder / "rows.csv", synthetic_rows())
    return read_rows(folder / "rows.csv")


def stored(results, name, rows):
    """The rows of a matrix, in a folder that is the suite's own."""
    claim(results, [name])
    write_rows(results / name / "rows.csv", rows)


def paged(results, name, rows, matrix="", arrays=None):
    """What a run leaves of a matrix, and the page that is made of it."""
    stored(results, name, rows)
    if matrix:
        (results / name / "matrix.toml").write_text(matrix)
    if arrays is not None:
        write_arrays(results / name / "arrays.npz", arrays, str(rows["matrix"].iloc[0]))
    return write_pages(results, name)


def table(values, names=None) -> pd.DataFrame:
    """A table of replicates, shape (S, K)."""
    values = np.asarray(values, float)
    return pd.DataFrame(values, columns=names or [f"c{i}" for i in range(values.shape[1])])


def four_errors(rate: float, runs: int) -> float:
    """Four binomial standard errors of a simulated rate."""
    return 4 * math.sqrt(rate * (1 - rate) / runs)
