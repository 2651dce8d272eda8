"""One sweep over every statistic of samples: bad input is one sentence, never a number."""

import importlib
import inspect
import math
import pkgutil

import numpy as np
import pytest
import torch

import vaelib.stats
from tests.vaelib.stats.samples import normal
from vaelib import audit
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.stats import (
    classifier,
    divergences,
    energy,
    finite_sample,
    holes,
    kernels,
    marginals,
    mmd,
    moments,
    nulls,
    prior_tests,
    sample_moments,
    stein,
    two_sample,
)
from vaelib.stats.goodness_of_fit import GOODNESS_OF_FIT_TESTS
from vaelib.stats.nulls import NormalNull, SignificanceResult

NULL = NormalNull(draws=19)
BANDWIDTHS = [1.0]


def seeded():
    return torch.Generator().manual_seed(0)


ONE_SAMPLE = {
    "median_bandwidth": kernels.median_bandwidth,
    "mmd_squared_normal": lambda z: mmd.mmd_squared_normal(z, BANDWIDTHS),
    "mmd_squared_normal_unbiased": lambda z: mmd.mmd_squared_normal_unbiased(z, BANDWIDTHS),
    "mmd_squared_mixture": lambda z: mmd.mmd_squared_mixture(z, torch.ones(z.shape), BANDWIDTHS),
    "energy_distance_normal": energy.energy_distance_normal,
    "distance_to_normal": energy.distance_to_normal,
    "ksd_squared": lambda z: stein.ksd_squared(z, BANDWIDTHS),
    "classifier_prior_test": lambda z: classifier.classifier_prior_test(
        z, lambda n, generator: normal(n, z.shape[-1], generator), generator=seeded()
    ),
}
ONE_SAMPLE |= {n: lambda z, test=test: test(z, NULL) for n, test in GOODNESS_OF_FIT_TESTS.items()}
ONE_SAMPLE |= {
    test.__name__: lambda z, test=test: test(
        z, lambda n, generator: normal(n, z.shape[-1], generator), seeded()
    )
    for test in [*prior_tests.PRIOR_TESTS.values(), prior_tests.mmd_squared_prior]
}
ONE_SAMPLE["jackknife"] = lambda z: sample_moments.jackknife(
    sample_moments.SAMPLE_MOMENTS["second_moment"], z
)
TWO_SAMPLE = {
    "mmd_squared": lambda x, y: mmd.mmd_squared(x, y, BANDWIDTHS),
    "mmd_squared_unbiased": lambda x, y: mmd.mmd_squared_unbiased(x, y, BANDWIDTHS),
    "energy_distance": energy.energy_distance,
    "mmd_two_sample_test": lambda x, y: two_sample.mmd_two_sample_test(x, y, generator=seeded()),
    "energy_two_sample_test": lambda x, y: two_sample.energy_two_sample_test(
        x, y, generator=seeded()
    ),
    "sliced_wasserstein": lambda x, y: two_sample.sliced_wasserstein(x, y, generator=seeded()),
    "classifier_test": lambda x, y: classifier.classifier_test(x, y, generator=seeded()),
}
AGAINST_DRAWS = {
    "classifier_prior_test",
    "energy_prior_test",
    "mmd_prior_test",
    "mmd_squared_prior",
}
TAKE_ONE_ROW = {"mmd_squared_mixture", "distance_to_normal"}

BANDWIDTH_TAKERS = {
    "mmd_squared": lambda h: mmd.mmd_squared(good(), good(), h),
    "mmd_squared_unbiased": lambda h: mmd.mmd_squared_unbiased(good(), good(), h),
    "mmd_squared_normal": lambda h: mmd.mmd_squared_normal(good(), h),
    "mmd_squared_normal_unbiased": lambda h: mmd.mmd_squared_normal_unbiased(good(), h),
    "mmd_squared_mixture": lambda h: mmd.mmd_squared_mixture(good(), good().abs(), h),
    "ksd_squared": lambda h: stein.ksd_squared(good(), h),
    "mmd_two_sample_test": lambda h: two_sample.mmd_two_sample_test(
        good(), good(), generator=seeded(), bandwidths=h
    ),
}


def good():
    return normal(20, 3, seeded())


def with_value(value):
    z = good()
    z[4, 1] = value
    return z


BAD = {
    "nan": (lambda: with_value(math.nan), "must be finite and below 1e.50 in size, got 1 NaN"),
    "infinite": (
        lambda: with_value(-math.inf),
        "must be finite and below 1e.50 in size, got 1 NaN",
    ),
    "too large": (lambda: with_value(1e50), "must be finite and below 1e.50 in size, got 1 NaN"),
    "complex": (lambda: good() + 0j, "must hold real numbers, got torch.complex128"),
    "truths": (lambda: good() > 0, "must hold real numbers, got torch.bool"),
    "sparse": (lambda: good().to_sparse(), "must be dense, got layout torch.sparse_coo"),
    "meta": (lambda: good().to("meta"), "must have values, got a tensor on device meta"),
    "masked": (lambda: np.ma.masked_array(good().numpy()), "must have no mask"),
    "objects": (lambda: np.full((20, 3), None), "must hold real numbers, got dtype object"),
    "no rows": (lambda: good()[:0], r"must have shape \(n, D\)"),
    "no dimension": (lambda: good()[:, :0], r"must have shape \(n, D\)"),
    "a vector": (lambda: good()[:, 0], r"must have shape \(n, D\)"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", ONE_SAMPLE)
def test_one_sample(name, bad):
    value, message = BAD[bad]
    with pytest.raises(ValueError, match=message):
        ONE_SAMPLE[name](value())


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("name", TWO_SAMPLE)
def test_two_samples(name, bad):
    value, message = BAD[bad]
    with pytest.raises(ValueError, match=f"x {message}"):
        TWO_SAMPLE[name](value(), good())
    with pytest.raises(ValueError, match=f"y {message}"):
        TWO_SAMPLE[name](good(), value())


@pytest.mark.parametrize("name", sorted(ONE_SAMPLE.keys() - TAKE_ONE_ROW))
def test_one_row_is_no_sample(name):
    with pytest.raises(ValueError, match=r"with n >= \d.* got \(1, 3\)"):
        ONE_SAMPLE[name](good()[:1])


@pytest.mark.parametrize("name", TWO_SAMPLE)
def test_two_samples_share_a_space(name):
    with pytest.raises(ValueError, match=r"one D, got \(20, 3\) and \(20, 2\)"):
        TWO_SAMPLE[name](good(), good()[:, :2])
    with pytest.raises(ValueError, match=r"with n >= \d.* got \(1, 3\)"):
        TWO_SAMPLE[name](good(), good()[:1])


@pytest.mark.parametrize("name", [*ONE_SAMPLE, *TWO_SAMPLE])
def test_what_is_no_tensor_is_a_type_error(name):
    if name in TWO_SAMPLE:
        with pytest.raises(TypeError, match="x must be a torch.Tensor or a NumPy array, got list"):
            TWO_SAMPLE[name]([[1.0]], good())
    elif name not in {"mmd_squared_mixture", *AGAINST_DRAWS}:
        with pytest.raises(TypeError, match="must be a torch.Tensor or a NumPy array, got list"):
            ONE_SAMPLE[name]([[1.0]])


FORMS = {
    "half": (lambda z: z.half(), lambda z: z.half().double()),
    "bfloat16": (lambda z: z.bfloat16(), lambda z: z.bfloat16().double()),
    "integers": (lambda z: (9 * z).int(), lambda z: (9 * z).int().double()),
    "an array": (lambda z: z.numpy(), lambda z: z),
    "an array of float32": (lambda z: z.float().numpy(), lambda z: z.float()),
}
POINTS_ALONE = sorted(ONE_SAMPLE.keys() - AGAINST_DRAWS - {"mmd_squared_mixture"})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", POINTS_ALONE)
def test_other_numbers_mean_what_they_are(name, form):
    given, meant = FORMS[form]
    assert_equal(ONE_SAMPLE[name](given(good())), ONE_SAMPLE[name](meant(good())))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", TWO_SAMPLE)
def test_other_numbers_of_two_samples_mean_what_they_are(name, form):
    given, meant = FORMS[form]
    x, y = good(), good().flip(0) + 0.5
    assert_equal(TWO_SAMPLE[name](given(x), given(y)), TWO_SAMPLE[name](meant(x), meant(y)))


def assert_equal(one, other):
    same = torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    assert same, (one, other)


@pytest.mark.parametrize("name", BANDWIDTH_TAKERS)
@pytest.mark.parametrize("bandwidths", [[0.0], [1.0, -2.0], [math.nan], [math.inf], []])
def test_bandwidths_are_positive(name, bandwidths):
    with pytest.raises(ValueError, match="bandwidths? must"):
        BANDWIDTH_TAKERS[name](bandwidths)


@pytest.mark.parametrize("name", ["mmd_two_sample_test", "energy_two_sample_test"])
def test_two_sample_tests_take_one_set_and_enough_permutations(name):
    test = getattr(two_sample, name)
    with pytest.raises(ValueError, match="permutations must be at least 19"):
        test(good(), good(), generator=seeded(), permutations=18)
    with pytest.raises(ValueError, match=r"shapes \(n, D\) and \(m, D\)"):
        test(good()[None], good()[None], generator=seeded())


def test_sliced_wasserstein_checks_its_numbers():
    with pytest.raises(ValueError, match="projections must be at least 1, got 0"):
        two_sample.sliced_wasserstein(good(), good(), generator=seeded(), projections=0)
    for order in (0.5, math.nan, math.inf):
        with pytest.raises(ValueError, match="order must be finite and at least 1"):
            two_sample.sliced_wasserstein(good(), good(), generator=seeded(), order=order)


def test_mixtures_have_one_scale_per_mean_and_none_negative():
    with pytest.raises(ValueError, match="scale must not be negative, got min"):
        mmd.mmd_squared_mixture(good(), good(), BANDWIDTHS)
    for scale in (good()[:5], good()[:, :1]):
        with pytest.raises(ValueError, match="must share one shape"):
            mmd.mmd_squared_mixture(good(), scale.abs(), BANDWIDTHS)


@pytest.mark.parametrize("name", sorted(ONE_SAMPLE.keys() - {"classifier_prior_test"}))
def test_one_sample_far_away_gives_numbers(name):
    check_finite(ONE_SAMPLE[name](with_value(9e49)))


@pytest.mark.parametrize("name", TWO_SAMPLE)
def test_two_samples_far_apart_give_numbers(name):
    check_finite(TWO_SAMPLE[name](with_value(9e49), good()))


def check_finite(value):
    if isinstance(value, SignificanceResult):
        assert 0 < value.p_value <= 1
        value = value.statistic
    if isinstance(value, tuple):
        value = [number for number in value if number is not None]
    assert torch.as_tensor(value, dtype=torch.float64).isfinite().all()


@pytest.mark.parametrize("name", ONE_SAMPLE)
def test_inputs_are_not_edited_and_gradients_not_followed(name):
    z = good().requires_grad_()
    before = z.detach().clone()
    ONE_SAMPLE[name](z)
    assert torch.equal(z.detach(), before) and z.grad is None


@pytest.mark.parametrize("name", TWO_SAMPLE)
def test_both_inputs_are_not_edited(name):
    x, y = good(), 2 * good()
    copies = x.clone(), y.clone()
    TWO_SAMPLE[name](x, y)
    assert torch.equal(x, copies[0]) and torch.equal(y, copies[1])


# Statistics of a posterior: what it is made of is checked when it is made


def posterior(n=20, dimensions=3):
    return AggregatePosterior(normal(n, dimensions, seeded()), torch.full((n, dimensions), 0.5))


POSTERIOR = {
    "active": moments.active,
    "active_units": moments.active_units,
    "decompose": lambda q: divergences.decompose(q, Normal(q.latent_dim), seeded(), draws=2),
    "draw_null": lambda q: finite_sample.draw_null(q, seeded()).mean,
    "excess_kurtosis": marginals.excess_kurtosis,
    "gauge_fix": lambda q: marginals.gauge_fix(q).mean,
    "gauge_gain": marginals.gauge_gain,
    "hole_mass": lambda q: holes.hole_mass(
        q, normal(100, q.latent_dim, seeded()), Normal(q.latent_dim), seeded(), draws=50
    ),
    "information_bounds": divergences.information_bounds,
    "kl_per_dimension": marginals.kl_per_dimension,
    "leave_one_out_kl": lambda q: divergences.leave_one_out_kl(q, Normal(q.latent_dim), seeded()),
    "marginal_kl_null": lambda q: finite_sample.marginal_kl_null(q, seeded(), 3).mean,
    "moment_kl": moments.moment_kl,
    "second_moment": moments.second_moment,
    "variance_law": moments.variance_law,
}
ELSEWHERE = {
    "authenticity": "test_neighbours",
    "bound_gap": "test_bounds",
    "expected_coverage": "test_neighbours",
    "most_features": "test_paired_frechet",
    "frechet_distance": "test_frechet",
    "frechet_gaussians": "test_frechet",
    "holm": "test_multiple_testing",
    "image_mmd": "test_image_quality",
    "importance_weights": "test_bounds",
    "point_reconstruction": "test_bounds",
    "neighbour_shares": "test_neighbours",
    "bandwidth_grid": "test_kernels",
    "evidence_lower_bound": "test_training",
    "is_saturated": "below",
    "largest_standardized": "below",
    "panel_nulls": "test_goodness_of_fit",
    "marginal_kl_floor": "below",
    "p_value": "below",
    "scale_by_place": "test_finite_sample",
    "band": "test_sbc",
    "calibration": "test_sbc",
    "crossed_mean": "test_crossed",
    "prior_scale": "test_prior_tests",
    "total_correlation": "below",
}
PARTS = {  # of the above: their arguments are checked by then, to the cost of a check per tile
    *("as_bandwidths", "as_features", "as_pair", "as_points", "as_sample", "as_two_sets"),
    *("check_bandwidth", "check_generator", "check_level", "check_positive", "check_posterior"),
    *("check_prior", "check_same_nets", "cross_tiles", "of_kernel"),
    *("gaussian_stein", "imq_stein", "inverse_multiquadric", "kernel_sums", "laplace"),
    *("pair_total", "squared_distances", "symmetric_tiles"),
    *("binned_kl", "gaussian_kl", "grid_over", "group_of", "largest_departure"),
    *("henze_zirkler_spread", "jackknife_error", "mean_of"),
}


def test_the_sweeps_know_every_public_function():
    public = set()
    for module in pkgutil.iter_modules(vaelib.stats.__path__):
        if module.ispkg:  # the stack's own tests give it bad input
            continue
        loaded = importlib.import_module(f"vaelib.stats.{module.name}")
        public |= {n for n in loaded.__all__ if inspect.isfunction(getattr(loaded, n))}
    swept = {*ONE_SAMPLE, *TWO_SAMPLE, *POSTERIOR, *ELSEWHERE, *PARTS}
    assert public - swept == set(), "add a new statistic to a sweep of this file"


SOUND = {
    "one dimension": lambda: posterior(20, 1),
    "constant dimension": lambda: spoilt(lambda mean, scale: (mean.fill_(0.3), scale)),
    "equal points": lambda: spoilt(lambda mean, scale: (mean.copy_(mean[:1].clone()), scale)),
    "narrow": lambda: spoilt(lambda mean, scale: (mean, scale.fill_(1e-12))),
    "wide": lambda: spoilt(lambda mean, scale: (mean, scale.fill_(1e12))),
    "far": lambda: spoilt(lambda mean, scale: (mean.mul_(1e12), scale)),
    "more dimensions than rows": lambda: posterior(3, 8),
}

UNDEFINED = {("draw_null", "wide"), ("marginal_kl_null", "wide")}


def spoilt(how):
    q = posterior()
    return AggregatePosterior(*how(q.mean.clone(), q.scale.clone()))


def numbers(value):
    """All numbers in a result, as one tensor."""
    if isinstance(value, divergences.Decomposition):
        value = tuple(value.__dict__.values())
    parts = value if isinstance(value, tuple) else (value,)
    return torch.cat([torch.as_tensor(part, dtype=torch.float64).flatten() for part in parts])


@pytest.mark.parametrize("kind", SOUND)
@pytest.mark.parametrize("name", POSTERIOR)
def test_sound_posteriors_give_numbers(name, kind):
    if (name, kind) in UNDEFINED:
        with pytest.raises(ValueError, match="active dimensions must not exceed 1"):
            POSTERIOR[name](SOUND[kind]())
        return
    assert numbers(POSTERIOR[name](SOUND[kind]())).isfinite().all()


@pytest.mark.parametrize("name", sorted(POSTERIOR.keys() - {"leave_one_out_kl"}))
def test_one_component_gives_numbers(name):
    assert numbers(POSTERIOR[name](posterior(1))).isfinite().all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: divergences.leave_one_out_kl(posterior(1), Normal(3), seeded()),
            "components .* 2",
        ),
        (lambda: divergences.leave_one_out_kl(posterior(), Normal(3), seeded(), 0), "draws .* 0"),
        (lambda: divergences.leave_one_out_kl(posterior(), Normal(2), seeded()), "3 dimensions"),
        (lambda: divergences.decompose(posterior(), Normal(3), seeded(), 0), "draws .* 1, got 0"),
        (lambda: divergences.decompose(posterior(), Normal(2), seeded()), "3 dimensions .* got 2"),
        (lambda: divergences.decompose(posterior(), Normal(3), seeded(), 1, 1), "points .* got 1"),
        (lambda: finite_sample.marginal_kl_null(posterior(), seeded(), 1), "draws .* 2, got 1"),
        (lambda: finite_sample.marginal_kl_floor(math.nan, 5), "rate must be finite, got nan"),
        (lambda: finite_sample.marginal_kl_floor(1.0, 0), "components must be at least 1, got 0"),
        (lambda: finite_sample.is_saturated(math.inf, 5), "rate must be finite, got inf"),
        (lambda: finite_sample.is_saturated(1.0, 0), "components must be at least 1, got 0"),
        (lambda: moments.active_units(posterior(), math.nan), "threshold must not be negative"),
        (lambda: marginals.total_correlation(math.nan, torch.ones(2)), "must be finite"),
        (lambda: marginals.total_correlation(1.0, torch.full((2,), math.inf)), "must be finite"),
        (lambda: nulls.p_value(1.0, torch.zeros(0)), "draws of the null must be at least 1, got 0"),
        (lambda: nulls.largest_standardized(torch.ones(1), torch.ones(1, 1)), "at least 2, got 1"),
        (lambda: hole(heldout=with_value(math.nan)), "heldout must be finite .* got 1 NaN"),
        (lambda: hole(heldout=good() + 0j), "heldout must hold real numbers, got torch.complex128"),
        (lambda: hole(heldout=normal(100, 2, seeded())), r"shape \(M, 3\), got \(100, 2\)"),
        (lambda: hole(heldout=good()), "at least 100 rows .* got 20"),
        (lambda: hole(level=0.0), "level must lie between 0 and 1, got 0"),
        (lambda: hole(level=math.nan), "level must lie between 0 and 1, got nan"),
        (lambda: hole(draws=0), "draws must be at least 1, got 0"),
    ],
)
def test_bad_numbers(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def hole(heldout=None, **options):
    heldout = normal(200, 3, seeded()) if heldout is None else heldout
    return holes.hole_mass(posterior(), heldout, Normal(3), seeded(), **options)


# The audit


def audited(mean, scale, **options):
    options = {"null": NULL, "null_draws": 3, "test_rows": 20} | options
    return audit(mean, scale, **options)


@pytest.mark.parametrize("n", [1, 2, 7, 30])
@pytest.mark.parametrize("kind", ["random", "equal", "narrow", "wide"])
def test_audits_of_sound_posteriors_have_no_row_without_a_number_or_a_reason(n, kind):
    mean = normal(n, 2, seeded()) * (kind != "equal")
    scale = torch.full_like(mean, {"narrow": 1e-12, "wide": 1e6}.get(kind, 0.5))
    for row in audited(mean, scale, heldout=(mean, scale)):
        assert row.message or row.value is not None
        for value in (row.value, row.standard_error, row.p_value):
            assert value is None or math.isfinite(value)


@pytest.mark.parametrize("place", ["mean", "scale", "heldout mean", "heldout scale"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x.index_fill(0, torch.arange(9), math.nan), "must be finite .* for 9 of "),
        (lambda x: x.index_fill(0, torch.arange(9), math.inf), "must be finite .* for 9 of "),
        (lambda x: x + 0j, "must hold real numbers, got torch.complex128"),
        (lambda x: x[:5], r"same shape \(N, D\)"),
        (lambda x: x[:, :2], r"same shape \(N, D\)"),
        (lambda x: x[:0], r"same shape \(N, D\)"),
    ],
)
def test_audits_of_bad_posteriors(place, spoil, message):
    given = {"mean": good(), "scale": good().abs() + 0.1}
    held = dict(given)
    table = held if place.startswith("heldout") else given
    name = place.split()[-1]
    table[name] = spoil(table[name])
    with pytest.raises(ValueError, match=message):
        audited(given["mean"], given["scale"], heldout=(held["mean"], held["scale"]))


@pytest.mark.parametrize("least", [0.0, -1.0])
def test_audits_of_scales_that_are_none(least):
    scale = torch.ones(20, 3).index_fill(0, torch.tensor([4]), least)
    with pytest.raises(ValueError, match="scale must be positive, got min"):
        audited(good(), scale)
    with pytest.raises(ValueError, match="scale of heldout must be positive, or 0 for all"):
        audited(good(), torch.zeros(20, 3), heldout=(good(), scale))


@pytest.mark.parametrize("rows", [0, 1, -5])
def test_audits_need_rows_to_test(rows):
    with pytest.raises(ValueError, match=f"test_rows must be at least 2, got {rows}"):
        audited(good(), good().abs() + 0.1, test_rows=rows)


def test_audits_of_what_is_no_tensor():
    with pytest.raises(TypeError, match="scale must be a torch.Tensor or a NumPy array, got dict"):
        audited(good(), {"scale": 1.0})
