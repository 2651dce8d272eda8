"""The page on samples says what the rows hold, and its pictures what the arrays hold."""

import math

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from bench.analysis.replicates import t_interval
from bench.analysis.results import Results
from bench.commands.report import write_pages
from bench.metrics.registry import METRICS
from bench.report.figures.match_cost import _number, match_against_cost
from bench.report.figures.samples import (
    mosaic,
    sample_grids,
    where_sampling_fails,
    witness,
)
from bench.report.markdown import quantity
from bench.report.sample_sections import sample_section
from bench.rows import COLUMNS, SCHEMA, read_rows, write_rows
from tests.bench.synthetic import paged

SOURCES = {"prior": 0.20, "aggregate": 0.15, "gmm": 0.16, "reconstruction": 0.14, "floor": 0.0}


def sample_rows(seeds=10, configs=("base", "latent_dim-8")):
    """Rows whose sources share a large effect of the seed."""
    rng, table = np.random.default_rng(0), []
    for config in configs:
        for seed in range(seeds):
            known = dict.fromkeys(COLUMNS, "") | {
                "matrix": "m",
                "config": config,
                "cell": f"{config}{seed}",
                "dataset": "digits",
                "seed": seed,
                "split": "test",
                "status": "ok",
                "seconds": 1.0,
                "schema": SCHEMA,
                "latent_dim": 8 if "8" in config else 2,
            }
            known |= dict.fromkeys(["value", "standard_error", "p_value"], np.nan)
            shared = rng.normal(0, 0.1)
            for source, level in SOURCES.items():
                value = level + shared + rng.normal(0, 0.005)
                note = "0.969 is expected" * (source == "floor")
                for metric, number in (("frechet", value), ("coverage", 1 - value)):
                    own = {"source": source, "metric": metric, "value": number}
                    table.append(known | own | {"message": note * (metric == "coverage")})
            for decile, level in (("lowest_decile", 0.7), ("highest_decile", 0.9)):
                own = {"source": decile, "metric": "precision", "value": level + shared / 100}
                table.append(known | own)
            table.append(known | {"metric": "c2st_auc", "value": 0.6 + shared / 10})
    return pd.DataFrame(table, columns=[*COLUMNS, "latent_dim"])


def pictures(names=("base", "latent_dim-8"), seed=0):
    rng = np.random.default_rng(seed)
    kinds = ["real", "prior", "aggregate", "deepest", "densest"]
    arrays = {
        f"{name}/samples/{kind}": rng.integers(0, 256, (64, 1, 8, 8), dtype=np.uint8)
        for name in names
        for kind in kinds
    }
    arrays |= {"base/mean": rng.normal(0, 1, (50, 2)), "base/scale": np.full((50, 2), 0.3)}
    return arrays


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    results = tmp_path_factory.mktemp("results")
    paged(results, "m", sample_rows(), arrays=pictures())
    return results


@pytest.fixture(scope="module")
def page(folder):
    files = [folder / "m.md", *sorted((folder / "m").glob("*.md"))]
    return "\n".join(file.read_text() for file in files)


def table_row(text, heading, first):
    part = text[text.index(heading) :]
    line = next(line for line in part.splitlines() if line.startswith(f"| {first} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_costs_are_paired_differences_with_their_interval(page):
    frame = sample_rows()
    own = frame[(frame["config"] == "base") & (frame["metric"] == "frechet")]
    table = own.pivot(index="seed", columns="source", values="value")
    own_page = page.split("# m: samples and latents")[1]
    costs = own_page.split("## What sampling from the prior costs")[1].split("\n## ")[0]
    rows = [line for line in costs.splitlines() if line.startswith("| `base` ")]
    row = [cell.strip() for line in rows for cell in line.strip("|").split("|")[1:]]
    expected = [
        quantity(*map(float, t_interval((table[a] - table[b]).to_numpy())))
        for a, b in (("prior", "aggregate"), ("gmm", "prior"), ("aggregate", "reconstruction"))
    ]
    assert row[0] == expected[0] and row[2:4] == expected[1:]
    assert float(row[0].split("± ")[1]) < 0.01  # unpaired it would be .1


def test_references_and_deciles_have_their_own_tables(page):
    row = table_row(page, "## Images that no model made", "real images, never trained on (floor)")
    assert len(row) == 3, "distance and coverage"
    assert "Coverage: 0.969 is expected." in page
    low, high = table_row(page, "## Images from where q is low", "`latent_dim-8`")[1:3]
    assert float(low.split()[0]) == pytest.approx(0.7, abs=0.002)
    assert float(high.split()[0]) == pytest.approx(0.9, abs=0.002)
    by_source = page.split("## Samples by latent source")[1].split("\n# ")[0]
    assert "aggregate" in by_source
    assert "floor" not in by_source and "lowest_decile" not in by_source


def test_every_configuration_has_its_grid_and_the_base_its_holes(folder, page):
    for name in ("samples-base", "samples-latent_dim-8", "holes-base", "match-cost"):
        assert f"](figures/{name}.png)" in page or f"](m/figures/{name}.png)" in page
        assert (folder / "m" / "figures" / f"{name}.png").stat().st_size > 5000
    assert "holes-latent_dim-8" not in page


def test_the_page_is_rebuilt_from_the_files_byte_for_byte(folder):
    files = {p: p.read_bytes() for p in folder.rglob("*") if p.suffix in (".md", ".png")}
    assert len(files) >= 6
    for path in files:
        path.unlink()
    write_pages(folder, "m")
    assert {path: path.read_bytes() for path in files} == files


def test_few_seeds_are_said_and_rows_without_samples_have_no_section(tmp_path):
    write_rows(tmp_path / "rows.csv", sample_rows(2))
    text = "\n".join(
        block if isinstance(block, str) else block.text
        for block in sample_section(Results.read(tmp_path))
    )
    assert "too few seeds for a claim" in text
    bare = sample_rows()
    bare = bare[bare["metric"] == "c2st_auc"]
    write_rows(tmp_path / "rows.csv", bare)
    assert sample_section(Results.read(tmp_path)) == []


def test_a_mosaic_holds_every_image_in_its_place():
    images = np.random.default_rng(0).integers(0, 256, (64, 1, 5, 6), dtype=np.uint8)
    laid = mosaic(images)
    assert laid.shape == (8 * 6, 8 * 7)
    for place in (0, 9, 63):
        row, column = divmod(place, 8)
        tile = laid[row * 6 + 1 : row * 6 + 6, column * 7 + 1 : column * 7 + 7]
        assert (tile == images[place, 0]).all()
    assert mosaic(np.repeat(images, 3, axis=1)).shape == (48, 56, 3)


def test_grids_stand_in_one_order_whatever_the_order_of_the_sources():
    images = np.zeros((64, 1, 8, 8), np.uint8)
    for names in (["prior", "real", "gmm"], ["gmm", "prior", "real"]):
        figure = sample_grids(dict.fromkeys(names, images))
        titles = [axes.get_title(loc="left") for axes in figure.axes]
        assert titles[:3] == ["real, never trained on", "z of the prior", "z of a fitted mixture"]


def test_the_witness_is_the_expected_kernel_difference():
    rng = np.random.default_rng(0)
    mean, scale = rng.normal(1, 1, (5, 2)), rng.uniform(0.2, 0.6, (5, 2))
    points = rng.normal(0, 1, (4, 2))
    found = witness(points, mean, scale, 0.7)
    draws = (mean + scale * rng.standard_normal((40_000, 5, 2))).reshape(-1, 2)
    prior = rng.standard_normal((200_000, 2))
    for at, value in zip(points, found, strict=True):
        kernels = [np.exp(-((z - at) ** 2).sum(1) / (2 * 0.7**2)) for z in (draws, prior)]
        expected = kernels[0].mean() - kernels[1].mean()
        error = math.hypot(*(k.std() / math.sqrt(len(k)) for k in kernels))
        assert abs(value - expected) < 4.5 * error  # chance 3e-5


def test_no_witness_where_the_posterior_is_the_prior():
    points = np.random.default_rng(0).normal(0, 2, (9, 2))
    assert np.abs(witness(points, np.zeros((3, 2)), np.ones((3, 2)), 0.5)).max() < 1e-15
    images = dict.fromkeys(("deepest", "densest"), np.zeros((64, 3, 8, 8), np.uint8))
    assert len(where_sampling_fails(np.ones((9, 2)), np.ones((9, 2)), images).axes) == 4


def test_configurations_too_close_for_a_label_each_share_one():
    figure = Figure(figsize=(6, 3), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, 1), ylim=(0, 1))
    figure.draw_without_rendering()
    _number(
        axes,
        np.array([[0.1, 0.1], [0.11, 0.1], [0.12, 0.11], [0.5, 0.5], [0.11, 0.12]]),
        figure.dpi,
        np.empty((0, 4)),
    )
    assert {text.get_text() for text in axes.texts} == {"1–3, 5", "4"}


def test_match_against_cost_has_one_point_per_configuration(tmp_path):
    write_rows(tmp_path / "rows.csv", sample_rows())
    (axes,) = match_against_cost(read_rows(tmp_path / "rows.csv"), METRICS["c2st_auc"]).axes
    assert axes.get_xlabel() == "classifier AUC, test inputs"
    assert [text.get_text() for text in axes.texts] == ["latent_dim-8", "base"]
    assert not axes.figure.legends
