"""The estimators of papers against other code of theirs; the page against its table and a rerun."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import cKDTree

from bench.calibration import conformance, elsewhere
from bench.calibration.conformance import RUNS, Row, page, read, rows, written
from vaelib.seeding import stream
from vaelib.worlds.expected import shipped
from vaelib.worlds.words import FAULTS

RESULTS = Path(__file__).parents[3] / "results"
TABLE = RESULTS / "conformance" / "table.csv"


def drawn(n, dimensions, mean, seed):
    generator = stream("conformance test", seed)
    return mean + torch.randn(n, dimensions, generator=generator, dtype=torch.float64)


def test_k_nn_is_the_sum_of_log_ratios_of_distances_in_a_tree():
    z, train = drawn(150, 3, 0.5, 0), drawn(100, 3, 0.5, 1)
    found = elsewhere.nearest_neighbours(z, train, stream("k-NN", 0))
    q = torch.cat([z, train]).numpy()
    p = torch.randn(250, 3, generator=stream("k-NN", 0), dtype=torch.float64).numpy()
    own = cKDTree(q).query(q, 6)[0][:, -1]
    other = cKDTree(p).query(q, 5)[0][:, -1]
    assert found == pytest.approx(3 * np.mean(np.log(other / own)) + math.log(250 / 249), abs=1e-9)


def test_k_nn_is_near_the_kl_of_a_shift_on_the_line():
    found = elsewhere.nearest_neighbours(
        drawn(500, 1, 0.7, 2), drawn(500, 1, 0.7, 3), stream("", 1)
    )
    assert abs(found - 0.245) < 0.08


def test_minibatches_are_weighted_as_published(monkeypatch):
    monkeypatch.setattr(elsewhere, "BATCH", 4)
    mean, scale = drawn(12, 2, 0, 4), drawn(12, 2, 0, 5).abs() + 0.1
    z = mean + scale * drawn(12, 2, 0, 6)
    parts = (z, mean, scale)
    found = elsewhere.minibatch_weighted(*(one[:4] for one in parts), *(one[4:] for one in parts))
    total, prior = 0.0, torch.distributions.Normal(0.0, 1.0)
    for i in range(12):
        batch = range(i // 4 * 4, i // 4 * 4 + 4)
        density = sum(
            math.exp(torch.distributions.Normal(mean[j], scale[j]).log_prob(z[i]).sum())
            for j in batch
        )
        total += math.log(density / (12 * 4)) - float(prior.log_prob(z[i]).sum())
    assert found == pytest.approx(total / 12, abs=1e-6)


def test_the_discriminator_learns_a_shift_and_is_the_same_at_one_seed(monkeypatch):
    monkeypatch.setattr(elsewhere, "EPOCHS", 20)
    monkeypatch.setattr(elsewhere, "HIDDEN", 32)
    held, train = drawn(500, 1, 1.0, 7), drawn(1000, 1, 1.0, 8)
    first, again = (
        elsewhere.discriminator(held, train, 3, stream("discriminator", 0)) for _ in range(2)
    )
    assert first == again and abs(first - 0.5) < 0.15
    other = elsewhere.discriminator(held, train, 4, stream("discriminator", 0))
    assert first != other


def test_the_page_is_that_of_its_table():
    found = read(TABLE.read_text(encoding="utf-8"))
    assert written(found) == TABLE.read_text(encoding="utf-8")
    assert page(found) == (RESULTS / "conformance.md").read_text(encoding="utf-8")
    known = {entry["name"]: entry["kl"] for entry in shipped()["worlds"]}
    for name in RUNS:
        mine = [row for row in found if row.estimator == name]
        assert [row.world for row in mine] == list(known)
        assert all(row.kl == pytest.approx(known[row.world], rel=1e-4, abs=1e-5) for row in mine)
    own = [row for row in found if row.estimator == "lower end"]
    assert not {row.word for row in own} & set(FAULTS)


@pytest.mark.parametrize(
    ("name", "world"),
    [("minibatch", "exact match, D = 2"), ("lower end", "banana")],
)
def test_what_the_table_says_comes_again(name, world):
    (kept,) = (row for row in read(TABLE.read_text("utf-8")) if row[:2] == (name, world))
    (row,) = rows(name, [world])
    assert (row.word, row.dimensions) == (kept.word, kept.dimensions)
    assert (row.mean, row.sd) == pytest.approx((kept.mean, kept.sd), rel=1e-3, abs=1e-4)


def test_a_page_shows_what_deviates_in_bold_and_what_has_no_number_by_its_word():
    one = Row("", "banana", 6, 0.2027, 0.01234567, 0.001, "biased low")
    absent = one._replace(world="shell", mean=math.nan, sd=math.nan, word="no posteriors")
    every = [
        row._replace(estimator=name)
        for name in ("k-NN", "minibatch", "discriminator")
        for row in (one, absent)
    ]
    own = one._replace(estimator="lower end", mean=0.1, word="holds")
    text = page([*every, own, own._replace(world="shell")])
    cells = {
        line.strip("| ").split("|")[0].strip(): [
            cell.strip() for cell in line.strip("| ").split("|")
        ]
        for line in text.splitlines()
        if line.startswith("| ")
    }
    assert cells["banana"] == ["banana", "6", "0.2027", *["**0.01235 biased low**"] * 3]
    assert cells["shell"][3:] == ["no posteriors"] * 3
    assert "holds in 2 of 2, and is 49 % of the KL" in text
    assert "**k-NN** is right in 0 of 1 that have posteriors" in text


def test_the_command_writes_the_page_from_the_table(tmp_path):
    (tmp_path / "conformance").mkdir()
    (tmp_path / "conformance" / "table.csv").write_bytes(TABLE.read_bytes())
    conformance.main(only=None, rebuild=True, results=tmp_path)
    assert (tmp_path / "conformance.md").read_bytes() == (RESULTS / "conformance.md").read_bytes()
