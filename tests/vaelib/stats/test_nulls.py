import math
import os

import numpy as np
import pytest
import torch

from vaelib.sealed import CacheWarning, identity_of, packed
from vaelib.stats import nulls
from vaelib.stats.nulls import (
    NormalNull,
    NullStatistic,
    SignificanceResult,
    largest_standardized,
    p_value,
)


@pytest.fixture(autouse=True)
def empty_memory(monkeypatch):
    monkeypatch.setattr(nulls, "_MEMORY", {})  # what other tests drew must not be found


class Means:
    """The mean of each sample in each dimension; counts how often it is asked."""

    calls = 0

    def __call__(self, z):
        self.calls += 1
        return z.mean(1)


def test_p_value_counts_ties_and_is_never_zero():
    null = torch.tensor([1.0, 2.0, 2.0, 3.0], dtype=torch.float64)
    assert p_value(4.0, null) == 1 / 5
    assert p_value(2.0, null) == 4 / 5
    assert p_value(0.0, null) == 1
    assert p_value(math.inf, null) == 1 / 5
    assert p_value(2.0 + 1e-12, null) == 2 / 5
    assert p_value(2.0 + 1e-12, null, tolerance=1e-9) == 4 / 5


def test_p_value_of_no_number_is_an_error():
    with pytest.raises(ValueError, match="got NaN"):
        p_value(math.nan, torch.zeros(20))


def test_largest_standardized_treats_the_observed_like_a_draw():
    generator = torch.Generator().manual_seed(0)
    null = torch.randn(500, 4, generator=generator) * torch.tensor([1.0, 10.0, 0.1, 1.0]) + 5
    _, draws = largest_standardized(null[0], null)
    for i in (0, 17):
        assert largest_standardized(null[i], null)[0] == pytest.approx(float(draws[i]))
    winners = ((null - null.mean(0)) / null.std(0)).argmax(1).bincount()
    assert (winners > 75).all()  # a quarter each, whatever the scale


def test_largest_standardized_of_a_constant_statistic_is_finite():
    observed, draws = largest_standardized(torch.ones(1).double(), torch.ones(20, 1).double())
    assert observed == 0 and torch.equal(draws, torch.zeros(20))


def test_draws_are_standard_normal_samples_of_the_asked_shape():
    draws = NormalNull(draws=2000).of("means", Means(), 25, 3)
    assert draws.shape == (2000, 3) and draws.dtype == torch.float64
    assert draws.mean(0).abs().max() < 5 * 0.2 / math.sqrt(2000)  # fails once in 600,000 seeds
    assert np.allclose(draws.std(0), 0.2, rtol=0.08)


def test_draws_do_not_depend_on_the_statistic_seen_before_or_on_global_state():
    first = NormalNull(draws=30).of("means", Means(), 10, 2)
    torch.manual_seed(1)
    NormalNull(draws=30).of("other", Means(), 50, 4)
    nulls._MEMORY.clear()  # as in a new process, here and below
    assert torch.equal(NormalNull(draws=30).of("means", Means(), 10, 2), first)


def test_draws_are_kept_in_memory():
    statistic = Means()
    first = NormalNull(draws=20).of("means", statistic, 10, 2)
    calls = statistic.calls
    assert NormalNull(draws=20).of("means", statistic, 10, 2) is first
    assert statistic.calls == calls


@pytest.mark.parametrize(
    ("null", "arguments"),
    [
        (NormalNull(draws=20), ("other", 10, 2, ())),
        (NormalNull(draws=20), ("means", 11, 2, ())),
        (NormalNull(draws=20), ("means", 10, 3, ())),
        (NormalNull(draws=20), ("means", 10, 2, (1.0,))),
        (NormalNull(draws=21), ("means", 10, 2, ())),
        (NormalNull(draws=20, seed=1), ("means", 10, 2, ())),
    ],
)
def test_whatever_the_draws_depend_on_tells_them_apart(null, arguments, tmp_path):
    base = NormalNull(draws=20, folder=tmp_path).of("means", Means(), 10, 2)
    name, rows, dimensions, parameters = arguments
    kept = NormalNull(null.draws, null.seed, tmp_path)
    assert kept.of(name, Means(), rows, dimensions, parameters) is not base
    assert len(list(tmp_path.iterdir())) == 2


def test_draws_are_kept_in_a_folder(tmp_path):
    null, statistic = NormalNull(draws=20, folder=tmp_path / "new" / "nulls"), Means()
    first = null.of("means", statistic, 10, 2)
    (path,) = null.folder.iterdir()
    assert path.name.startswith("means-n10-D2-") and path.suffix == ".npz"
    nulls._MEMORY.clear()
    calls = statistic.calls
    assert torch.equal(null.of("means", statistic, 10, 2), first)
    assert statistic.calls == calls


def test_draws_of_other_code_are_drawn_again(tmp_path, monkeypatch):
    null, statistic = NormalNull(draws=20, folder=tmp_path), Means()
    hashes = {__name__: "before"}
    monkeypatch.setattr(nulls, "code_hash", hashes.__getitem__)
    for calls, version in ((1, "before"), (1, "before"), (2, "after"), (2, "before")):
        hashes[__name__] = version
        nulls._MEMORY.clear()
        null.of("means", statistic, 10, 2)
        assert statistic.calls == calls
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_given_later_is_filled_from_memory(tmp_path):
    first = NormalNull(draws=20).of("means", Means(), 10, 2)
    NormalNull(draws=20, folder=tmp_path).of("means", Means(), 10, 2)
    (path,) = tmp_path.iterdir()
    assert np.array_equal(np.load(path)["draws"], first.numpy())


def test_a_folder_that_is_only_read_is_read_and_not_written(tmp_path):
    reads = NormalNull(draws=20, folder=tmp_path / "nulls", keeps=False)
    drawn = reads.of("means", Means(), 10, 2)
    assert torch.equal(reads.of("means", Means(), 10, 2), drawn)  # as memory has it
    assert not (tmp_path / "nulls").exists()
    NormalNull(draws=20, folder=tmp_path / "nulls").of("means", Means(), 10, 2)
    nulls._MEMORY.clear()
    statistic = Means()
    assert torch.equal(reads.of("means", statistic, 10, 2), drawn) and not statistic.calls


def resealed(path, draws):
    path.write_bytes(packed({"draws": draws}, identity_of(path)))


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-40]),
        lambda path: path.write_text("not an array"),
        lambda path: np.savez(path, draws=2 * np.load(path)["draws"]),
        lambda path: path.write_bytes(packed({"draws": np.zeros((20, 2))}, {"null": "another"})),
    ],
)
def test_a_damaged_file_is_drawn_again_and_replaced(tmp_path, damage):
    null = NormalNull(draws=20, folder=tmp_path)
    first = null.of("means", Means(), 10, 2)
    (path,) = tmp_path.iterdir()
    damage(path)
    nulls._MEMORY.clear()
    with pytest.warns(CacheWarning, match=f"{path} is not used but computed again: [A-Zi]"):
        assert torch.equal(null.of("means", Means(), 10, 2), first)
    assert list(tmp_path.iterdir()) == [path]
    assert np.array_equal(np.load(path)["draws"], first.numpy())


@pytest.mark.parametrize(
    "draws",
    [
        np.zeros((5, 2)),
        np.zeros(20),
        np.full((20, 2), np.nan),
        np.zeros((20, 2), dtype=np.float32),
    ],
)
def test_what_can_be_no_draws_is_drawn_again_and_replaced(tmp_path, draws):
    null = NormalNull(draws=20, folder=tmp_path)
    first = null.of("means", Means(), 10, 2)
    (path,) = tmp_path.iterdir()
    resealed(path, draws)
    nulls._MEMORY.clear()
    assert torch.equal(null.of("means", Means(), 10, 2), first)
    assert np.array_equal(np.load(path)["draws"], first.numpy())


def test_a_pipe_where_draws_were_kept_costs_time_and_stays(tmp_path):
    null = NormalNull(draws=20, folder=tmp_path)
    first = null.of("means", Means(), 10, 2)
    (path,) = tmp_path.iterdir()
    path.unlink()
    os.mkfifo(path)
    nulls._MEMORY.clear()
    with pytest.warns(CacheWarning, match="computed again: Not a regular file"):
        assert torch.equal(null.of("means", Means(), 10, 2), first)
    assert path.is_fifo()


def test_a_folder_that_cannot_be_used_costs_time_and_no_answer(tmp_path):
    first = NormalNull(draws=20).of("means", Means(), 10, 2)
    (tmp_path / "file").touch()
    nulls._MEMORY.clear()
    with pytest.warns(CacheWarning, match="computed again: (Not a directory|File exists)") as told:
        drawn = NormalNull(draws=20, folder=tmp_path / "file").of("means", Means(), 10, 2)
    assert torch.equal(drawn, first) and len(told) == 2, "not read, not written"


def test_too_few_draws_are_an_error():
    with pytest.raises(ValueError, match="draws must be at least 19"):
        NormalNull(draws=18)


def test_outcome_is_frozen():
    with pytest.raises(AttributeError):
        SignificanceResult(1.0, 0.5, 99).p_value = 0.0


def test_statistics_of_the_same_samples_are_drawn_together_and_each_as_alone(tmp_path):
    seen = []

    def sums(z):
        seen.append(z)
        return z.sum(1)

    def squares(z):
        seen.append(z)
        return z.square().sum(1)

    wanted = [
        NullStatistic("sums", sums, 10, 2),
        NullStatistic("squares", squares, 10, 2),
        NullStatistic("others", sums, 12, 2),
        NullStatistic("sums", sums, 10, 2),
    ]
    null = NormalNull(draws=20, folder=tmp_path)
    together = null.together(wanted)
    assert len(seen) == 3 and seen[0] is seen[1]  # one batch for both, one of 12 rows
    assert len(list(tmp_path.iterdir())) == 3
    nulls._MEMORY.clear()
    for one, draws in zip(wanted, together, strict=True):
        assert torch.equal(NormalNull(draws=20).of(*one), draws)
    nulls._MEMORY.clear()
    seen.clear()
    assert all(map(torch.equal, null.together(wanted), together)) and not seen


def test_what_statistics_share_is_made_once_of_each_batch(monkeypatch):
    monkeypatch.setattr(nulls, "_MEMORY", {})
    made = []

    def shared(z):
        made.append(z.sum(1))
        return made[-1]

    wanted = [NullStatistic(str(k), lambda sums, k=k: k * sums, 10, 2) for k in (1, 2)]
    once, twice = NormalNull(draws=20).together(wanted, shared=shared)
    assert torch.equal(torch.cat(made), once) and torch.equal(2 * once, twice)


def test_without_a_folder_no_code_is_read(monkeypatch):
    def refused(module):
        raise AssertionError(module)

    monkeypatch.setattr(nulls, "code_hash", refused)
    NormalNull(draws=20).of("means", Means(), 10, 2)
