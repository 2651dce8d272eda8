"""A model as its own simulator, against decoders whose posterior is known."""

import doctest
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.vaelib.test_likelihood_bounds import linear_vae
from vaelib import encode
from vaelib.families import GaussianFamily, PointFamily
from vaelib.likelihoods import Bernoulli, Gaussian
from vaelib.models import VAE
from vaelib.networks import MLPDecoder, MLPEncoder
from vaelib.priors import Mixture, Normal, Uniform
from vaelib.simulation import encoder_calibration, sbc
from vaelib.stats.sbc import GRID, band

UNIT = Gaussian((2,), scale=1.0)


def of_model(model, draws=200, seed=0, **options):
    return sbc(model.prior, model.decoder, model.likelihood, model.encode, draws, seed, **options)


def identity(z):
    return z


def test_the_linear_vae_with_its_exact_posterior_is_rejected_at_the_level():
    model, _ = linear_vae()
    runs = [of_model(model, seed=seed) for seed in range(100)]
    for p_values in ([r.test.p_value for r in runs], [r.joint.p_value for r in runs]):
        assert sum(p <= 0.05 for p in p_values) <= 5 + 4 * math.sqrt(100 * 0.05 * 0.95)
    assert np.mean([r.overall.value for r in runs]) == pytest.approx(1, abs=4 * 0.036 / 100**0.5)


@pytest.mark.parametrize(("stretch", "shift"), [(0.8, 0.0), (1.0, 0.25)])
def test_its_scales_times_eight_tenths_and_its_shift_are_rejected_with_known_power(stretch, shift):
    """Scores are N(-shift, 1) over the stretch: power of Holm over three by plain simulation."""
    n, runs, rng = 200, 60, np.random.default_rng(0)
    model, _ = linear_vae(shift, stretch)
    found = [of_model(model, n, seed) for seed in range(runs)]
    share = np.mean([r.test.per_dimension[0] <= 0.05 / 2 for r in found])
    low, high = band(n, 1 - 0.05 / 6)  # by which the first of Holm's steps rejects at .025
    ranks = torch.special.ndtr(torch.from_numpy((rng.normal(size=(3000, n)) - shift) / stretch))
    ends = torch.arange(1, GRID, dtype=torch.float64) / GRID
    below = torch.searchsorted(ranks.sort(1).values, ends.expand(3000, -1).contiguous()) / n
    alone = ((below.numpy() < low - 1e-9) | (below.numpy() > high + 1e-9)).any(1).mean()
    assert share >= alone - 4 * math.sqrt(alone * (1 - alone) / runs)  # later steps reject more
    assert alone > 0.5
    scale = np.array([r.scale for r in found]).mean(0)
    assert scale == pytest.approx([stretch] * 2, abs=0.02)
    offset = np.array([r.shift for r in found]).mean(0)
    assert offset == pytest.approx([-shift / stretch] * 2, abs=0.03)


def test_correlated_posteriors_fail_the_joint_rank_alone():
    """p(z|x) of a decoder with one output, z_1 + z_2, and the two marginals of it as q(z|x)."""
    sums = Gaussian((1,), scale=0.5)
    gain = 1 / (2 + 0.25)

    def marginals(x):
        mean = gain * x.expand(-1, 2)
        return mean, torch.full_like(mean, (1 - gain) ** 0.5)

    result = sbc(Normal(2), lambda z: z.sum(1, keepdim=True), sums, marginals, 2000)
    *single, joint = result.test.per_dimension
    assert min(single) > 0.05 and joint < 1e-6
    assert result.overall.value == pytest.approx(1, abs=4 * result.overall.standard_error)


def boxes(x, width=1.0):
    mean = x.floor().clamp(0, 9) + 0.5
    return mean, torch.full_like(mean, width / 12**0.5)


@pytest.mark.parametrize("width", [1.0, 0.8, 1.25])
def test_box_posteriors_of_a_decoder_that_tells_the_block(width):
    """z ~ U(0, 10) and x the block it lies in: p(z|x) is uniform on the block."""

    def block(z, generator):
        return z.floor() + 0.5

    result = sbc(Uniform(2), identity, block, partial(boxes, width=width), 1500)
    assert (result.test.p_value > 0.05) == (width == 1)
    assert (result.joint.p_value > 0.05) == (width == 1)
    if width < 1:
        assert np.isnan(result.scale).all()


def test_a_learned_prior_is_what_z_is_drawn_from():
    prior = Mixture(2, components=1).requires_grad_(False)
    prior.mean.copy_(torch.tensor([[3.0, -1.0]]))
    prior.log_scale.copy_(torch.tensor([[0.5, 2.0]]).log())
    variance = 1 / (prior.log_scale.exp()[0] ** -2 + 1)

    def posterior(x):
        mean = variance * (prior.mean[0] * prior.log_scale.exp()[0] ** -2 + x)
        return mean, variance.sqrt().expand_as(mean)

    assert sbc(prior, identity, UNIT, posterior).test.p_value > 0.05
    wrong = sbc(Normal(2), identity, UNIT, posterior)
    assert wrong.test.p_value < 1e-6


@dataclass(frozen=True)
class Other(GaussianFamily):
    """A family whose distribution function nobody told."""


@pytest.mark.parametrize(("stretch", "sound"), [(1.0, True), (0.7, False)])
def test_ranks_among_draws_agree_with_the_exact_ones(stretch, sound):
    def posterior(x):
        return x / 2, torch.full_like(x, stretch * 0.5**0.5)

    exact = sbc(Normal(2), identity, UNIT, posterior, 600)
    ranked = sbc(Normal(2), identity, UNIT, posterior, 600, family=Other())
    assert (exact.test.p_value > 0.05, ranked.test.p_value > 0.05) == (sound, sound)
    # a rank among 99 draws errs by up to .05, its share of all ranks by much less
    assert np.abs(exact.counts - ranked.counts).max() / 600 < 0.05
    assert ranked.scale == pytest.approx(exact.scale, rel=0.1)


def test_encoders_of_other_libraries_go_through_encode():
    net = torch.nn.Linear(2, 4)
    with torch.no_grad():
        net.weight.copy_(torch.cat([0.5 * torch.eye(2), torch.zeros(2, 2)]))
        net.bias.copy_(torch.tensor([0.0, 0.0, math.log(0.5), math.log(0.5)]))
    posterior = partial(encode, lambda x: net(x).chunk(2, 1), second="logvar")
    assert sbc(Normal(2), identity, UNIT, posterior, 500).test.p_value > 0.05


def test_the_same_seed_gives_the_same_ranks_and_batches_do_not_matter(monkeypatch):
    model, _ = linear_vae()
    first, again, other = (of_model(model, 100, seed) for seed in (3, 3, 4))
    assert (first.counts == again.counts).all() and (first.counts != other.counts).any()
    monkeypatch.setattr("vaelib.simulation.BATCH", 32)  # pieces of which torch draws the same
    assert (of_model(model, 100, 3).counts == first.counts).all()


@pytest.mark.parametrize(
    ("posterior", "options", "message"),
    [
        (lambda x: (x, x[:, :1].abs()), {}, r"shape \(50, 2\), got \(50, 2\) and \(50, 1\)"),
        (lambda x: (x, 0 * x), {}, "must be positive, got min 0"),
        (lambda x: (x / 0, x.abs()), {}, "must be finite"),
        (lambda x: (x, 0 * x), {"family": PointFamily()}, "the encoder is deterministic"),
        (lambda x: (x, x.abs()), {"draws": 1}, "draws must be at least 2, got 1"),
    ],
)
def test_bad_input_is_one_sentence(posterior, options, message):
    with pytest.raises(ValueError, match=message):
        sbc(Normal(2), identity, UNIT, posterior, **{"draws": 50} | options)


def rows_of(model, x, draws=100):
    rows, arrays = encoder_calibration(model, x, 0, draws)
    return {row.metric: row for row in rows}, arrays


def test_measurements_of_a_model_and_the_counts_beside_them():
    model, _ = linear_vae(stretch=0.8)
    rows, arrays = rows_of(model, torch.zeros(1, 6), 1000)
    assert list(rows) == ["sbc_test", "sbc_joint_test", "sbc_scale"]
    assert rows["sbc_test"].p_value < 1e-3 and rows["sbc_joint_test"].p_value < 1e-3
    assert rows["sbc_scale"].value == pytest.approx(0.8, abs=4 * rows["sbc_scale"].standard_error)
    assert {(row.split, row.message) for row in rows.values()} == {
        ("test", "simulated from the decoder")
    }
    assert arrays["sbc"].shape == (3, GRID)
    assert encoder_calibration(model, torch.zeros(1, 6), 0, 0) == ([], {})


def test_what_cannot_be_calibrated_says_why():
    model, _ = linear_vae()
    points = VAE(model.encoder, model.prior, model.decoder, model.likelihood, PointFamily())
    rows, arrays = rows_of(points, torch.zeros(1, 6))
    assert rows["sbc_test"].value is None and not arrays
    assert rows["sbc_test"].message.startswith("not defined: the encoder is deterministic")


def test_grey_levels_are_said_to_be_none_of_the_likelihood():
    net = MLPEncoder((4,), 4, hidden=()), Normal(2), MLPDecoder(2, (4,), hidden=())
    model = VAE(*net, Bernoulli((4,)))
    grey, _ = rows_of(model, torch.full((3, 4), 0.5))
    binary, _ = rows_of(model, torch.ones(3, 4))
    assert "trained on grey levels" in grey["sbc_test"].message
    assert binary["sbc_test"].message == "simulated from the decoder"


def test_the_page_about_it_says_what_comes_out():
    page = Path(__file__).parents[2] / "docs" / "encoder.md"
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert (failed, tried) == (0, 8)
