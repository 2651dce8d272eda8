import math

import numpy as np
import pytest
import torch

from tests.oracles import WORLDS
from vaelib import audit, audit_samples
from vaelib.audits.densities import match
from vaelib.audits.settings import AuditSettings
from vaelib.posterior import AggregatePosterior
from vaelib.priors import PRIORS, Normal, Prior
from vaelib.seeding import stream
from vaelib.stats import marginals
from vaelib.stats.divergences import decompose
from vaelib.stats.nulls import NormalNull

GENERATOR = stream("encoder", 0)
MEAN = 0.8 * torch.randn(300, 2, generator=GENERATOR)
SCALE = torch.full_like(MEAN, 0.6)
FEW = NormalNull(draws=19)


def values(rows, split="train", source=""):
    return {row.metric: row for row in rows if (row.split, row.source) == (split, source)}


def matched(mean, scale):
    """What densities alone say."""
    q = AggregatePosterior(mean, scale)
    return values(match(q, Normal(q.latent_dim), "train", AuditSettings(null_draws=9)))


def test_a_matching_encoder_has_no_excess_and_a_wide_one_has():
    good = values(audit(MEAN, SCALE))
    wide = values(audit(1.6 * MEAN, 1.6 * SCALE))
    assert abs(good["marginal_kl_excess"].value) < 0.05
    assert good["marginal_kl_null_test"].p_value > 0.01
    assert wide["marginal_kl_excess"].value > 0.4
    assert wide["marginal_kl_null_test"].p_value == pytest.approx(1 / 20)
    assert wide["second_moment"].value == pytest.approx(1.6**2, rel=0.15)


def test_there_is_no_excess_where_a_scale_of_an_active_dimension_exceeds_1():
    rows = audit(2 * MEAN, 2 * SCALE)
    for name in ("marginal_kl_null", "marginal_kl_excess", "marginal_kl_null_test"):
        row = values(rows)[name]
        assert row.value is None and row.p_value is None
        assert "scales of active dimensions must not exceed 1, got 1.2" in row.message
    assert values(rows, source="gauge_fixed").keys() == {"rate", "marginal_kl"}
    assert values(rows)["marginal_kl"].value > 0.5


def test_a_scale_that_depends_on_the_place_is_said_beside_the_excess():
    """An exact match that the excess calls a mismatch; and one whose scales are the same."""
    world = next(w for w in WORLDS if w.name == "scale by place, D = 4")
    rows = matched(*world.encode(600, stream("place", 0)))
    place = rows["scale_by_place"]
    assert place.value < -3 * place.standard_error
    assert rows["marginal_kl_excess"].value > 0.05
    for name in ("marginal_kl_excess", "marginal_kl_null_test"):
        assert rows[name].message.startswith("the scale depends on the place")
    same = matched(MEAN, SCALE)
    assert same["scale_by_place"].value is None
    assert "must vary over the inputs" in same["scale_by_place"].message
    assert same["marginal_kl_excess"].message == ""


def test_means_over_dimensions_are_over_the_active_ones():
    still = 0.01 * torch.randn(300, 6, generator=stream("still", 0))
    mean = torch.cat([1.3 * MEAN, still], 1)
    scale = torch.cat([SCALE, torch.ones(300, 6)], 1)
    some, alone = (matched(*q) for q in ((mean, scale), (1.3 * MEAN, SCALE)))
    for name in ("kl_per_dimension", "excess_kurtosis"):
        assert some[name].value == pytest.approx(alone[name].value, abs=1e-9)
    none = matched(still, torch.ones(300, 6))
    for name in ("kl_per_dimension", "excess_kurtosis"):
        assert none[name].value is None
        assert none[name].message == "not defined: no dimension is active"
    assert none["total_correlation"].value == pytest.approx(0, abs=0.01)


def test_a_quadrature_that_fails_gives_no_value(monkeypatch):
    monkeypatch.setattr(marginals, "MANY", 300)
    rows = matched(MEAN, torch.full_like(MEAN, 1e-8))
    for name in ("kl_per_dimension", "total_correlation"):
        assert rows[name].value is None
        assert rows[name].message.endswith("too narrow for quadrature in 2 dimensions")


def test_the_identity_holds_between_rows():
    rows = values(audit(MEAN, SCALE))
    total = rows["mutual_information"].value + rows["marginal_kl"].value
    assert rows["rate"].value == pytest.approx(total, abs=1e-12)
    parts = rows["moment_kl"].value + rows["negentropy"].value
    assert rows["marginal_kl"].value == pytest.approx(parts, abs=1e-12)


def test_many_narrow_dimensions_are_called_saturated():
    mean = torch.randn(300, 16, generator=stream("encoder", 1))
    rows = values(audit(mean, torch.full_like(mean, 0.1)))
    assert rows["saturated"].value == 1
    assert rows["marginal_kl"].value == pytest.approx(rows["marginal_kl_floor"].value, rel=0.01)
    for name in ("marginal_kl_excess", "marginal_kl_null_test"):
        assert rows[name].message == "saturated: never evidence of a match"
    assert values(audit(MEAN, SCALE))["saturated"].value == 0


def test_heldout_inputs_are_the_test_split():
    rows = audit(MEAN, SCALE, heldout=(MEAN[:100] + 3, SCALE[:100]))
    train, test = values(rows), values(rows, "test")
    bracket = {"certified_kl", "certified_kl_lower", "certified_kl_upper", "certified_kl_test"}
    bracket |= {"certified_inputs", "shape_gain", "copies"}
    assert test.keys() - train.keys() == {"hole_mass"} | bracket
    assert train.keys() <= test.keys()
    assert test["marginal_kl_excess"].value > train["marginal_kl_excess"].value + 1


@pytest.mark.parametrize("heldout", [MEAN, (MEAN,), (MEAN, SCALE, SCALE)])
def test_heldout_inputs_are_a_mean_and_a_scale(heldout):
    with pytest.raises(ValueError, match="heldout must be a pair of mean and scale"):
        audit(MEAN, SCALE, heldout=heldout)


def test_groups_are_integers():
    with pytest.raises(ValueError, match="groups must hold integers, got a list with other values"):
        audit(MEAN, SCALE, groups=["a"] * 300)
    with pytest.raises(ValueError, match="groups must be a tensor or array of integers, got str"):
        audit(MEAN, SCALE, groups="a")


def test_one_group_is_too_few_and_no_copy():
    """Pairs within a group do not count; without others all held-out z would look like copies."""
    rows = audit(MEAN, SCALE, heldout=(-MEAN, SCALE), groups=torch.zeros(300, dtype=int))
    test = values(rows, "test")
    assert "copies" not in test
    assert "at least 20 independent groups" in test["certified_kl_lower"].message


def test_the_same_seed_gives_the_same_rows():
    assert audit(MEAN, SCALE, seed=3) == audit(MEAN, SCALE, seed=3)
    assert audit(MEAN, SCALE, seed=3) != audit(MEAN, SCALE, seed=4)


class Laplace(Prior):
    """A prior without an exact finite-N null."""

    def kl(self, mean, scale):
        return (mean.abs() + scale).sum(-1)

    def sample(self, count, generator):
        uniform = torch.rand(count, self.latent_dim, generator=generator) - 0.5
        return -uniform.sign() * (1 - 2 * uniform.abs()).log()


def test_the_excess_is_not_defined_for_other_priors_and_says_so():
    rows = values(audit(MEAN, SCALE, Laplace(2)))
    assert rows["marginal_kl_excess"].value is None
    assert "standard normal prior only" in rows["marginal_kl_excess"].message
    assert "marginal_kl_null_test" not in rows
    assert rows["c2st_auc"].value > 0.52  # a wider law than the encoder's


def test_other_priors_are_tested_against_fresh_draws_of_them():
    """A narrow law, whose scale the bandwidths must follow: matched, and twice as wide."""

    class Narrow(Laplace):
        def sample(self, count, generator):
            return 0.01 * super().sample(count, generator)

    prior = Narrow(2)
    z = prior.sample(300, stream("z", 0))
    for width, matches in ((1, True), (2, False)):
        rows = values(audit(width * z, torch.full_like(z, 1e-5), prior))
        for name in ("mmd_test", "energy_test", "c2st_test"):
            assert (rows[name].p_value > 0.01) == matches
        assert (abs(rows["mmd_squared"].value) < 0.01) == matches
    assert "henze_zirkler_test" not in rows and "likelihood_ratio_test" not in rows


def test_other_priors_give_the_same_rows_in_every_process():
    heldout = (MEAN.flip(1) + 0.1 * MEAN.roll(1, 0), SCALE)
    first, second = (audit(MEAN, SCALE, Laplace(2), heldout=heldout) for _ in range(2))
    assert first == second
    metrics = [row.metric for row in first if row.split == "test" and row.p_value is not None]
    assert metrics == ["c2st_test", "mmd_test", "energy_test"]
    lower = next(row for row in first if row.metric == "certified_kl_lower")
    assert lower.value is None and lower.message.startswith("the prior has no log_prob")


def test_a_prior_without_a_closed_form_states_the_error_of_its_rate():
    prior = PRIORS["mixture"](2, components=1)  # N(0, I), as a mixture
    with torch.no_grad():
        prior.mean.zero_()
        prior.log_scale.zero_()
    exact, rows = values(audit(MEAN, SCALE)), values(audit(MEAN, SCALE, prior))
    for metric in ("rate", "marginal_kl", "mutual_information", "marginal_kl_loo"):
        assert 0 < rows[metric].standard_error < 0.1
        error = 5 * math.hypot(rows[metric].standard_error, exact[metric].standard_error or 0)
        assert rows[metric].value == pytest.approx(exact[metric].value, abs=error)
    assert exact["rate"].standard_error is None
    total = rows["mutual_information"].value + rows["marginal_kl"].value
    assert rows["rate"].value == pytest.approx(total, abs=1e-12)
    assert next(prior.parameters()).dtype == torch.float32  # left as it was


def test_inputs_are_left_as_they_were():
    mean, scale = MEAN.clone(), SCALE.clone()
    audit(mean, scale, Normal(2))
    assert torch.equal(mean, MEAN)
    assert torch.equal(scale, SCALE)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prior": "norml"}, "prior must be one of normal"),
        ({"prior": "mixture"}, "normal, uniform or a trained Prior, got 'mixture'"),
        ({"prior": Normal(3)}, "prior must have the 2 dimensions of mean, got 3"),
        ({"heldout": (torch.ones(5, 3), torch.ones(5, 3))}, "heldout must have 2 dimensions"),
        ({"heldout": (MEAN * math.nan, SCALE)}, "^mean of held-out inputs must be finite and b"),
        ({"heldout": (MEAN, SCALE * math.inf)}, "^scale of held-out inputs must be finite and b"),
        ({"heldout": (MEAN, SCALE - 1)}, "^scale of heldout must be positive, or 0 for all, got"),
        (
            {"heldout": (MEAN, 0 * SCALE)},
            "^scale of heldout must be positive like that of mean, got 0 for all",
        ),
        ({"groups": np.ones(300)}, "^groups must hold integers, got dtype float64; convert it"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        audit(MEAN, SCALE, **options)


PANEL = [
    "mmd_test",
    "likelihood_ratio_test",
    "henze_zirkler_test",
    "mardia_test",
    "ks_test",
    "ksd_test",
    "energy_test",
    "c2st_test",
]


def test_every_test_of_the_panel_says_what_it_can_see():
    good, wide = values(audit(MEAN, SCALE)), values(audit(2 * MEAN, 2 * SCALE))
    assert all(good[name].p_value > 0.001 for name in PANEL)
    blind = {"henze_zirkler_test", "mardia_test"}
    for name in PANEL:
        assert (wide[name].p_value > 0.001) == (name in blind)
    assert good["c2st_auc"].value < 0.6 < wide["c2st_auc"].value
    assert good["mmd_squared"].value < 0.01 < wide["mmd_squared"].value


def test_the_gauge_fix_mends_a_scale_and_nothing_else():
    wide = audit(1.6 * MEAN + 1, 1.6 * SCALE)
    before, after = values(wide), values(wide, source="gauge_fixed")
    assert after["rate"].value < before["rate"].value - 0.5
    assert after["marginal_kl"].value < 0.1 < before["marginal_kl"].value - 0.5


def test_where_the_mismatch_lies_adds_up():
    rows = values(audit(MEAN, SCALE))
    parts = rows["total_correlation"].value + 2 * rows["kl_per_dimension"].value
    assert rows["marginal_kl"].value == pytest.approx(parts, abs=1e-12)
    low = rows["marginal_kl_loo"]
    assert low.value < rows["marginal_kl"].value + 4 * low.standard_error


def test_tests_see_no_more_rows_than_they_are_given():
    many = values(audit(MEAN, SCALE, test_rows=100))
    few = values(audit(MEAN[:100], SCALE[:100]))
    assert many["ksd_test"].value != few["ksd_test"].value
    assert many["mmd_squared"].value != few["mmd_squared"].value
    assert many["mmd_squared"] == values(audit(MEAN, SCALE))["mmd_squared"]


def test_many_inputs_are_evaluated_at_a_few_and_say_so():
    mean = 0.8 * torch.randn(12_000, 3, generator=stream("encoder", 2))
    told = []
    rows = values(
        audit(
            mean,
            torch.full_like(mean, 0.6),
            null_draws=9,
            null=NormalNull(draws=19),
            test_rows=50,
            progress=lambda *step: told.append(step),
        )
    )
    for name in ("marginal_kl", "marginal_kl_excess", "negentropy", "total_correlation"):
        assert rows[name].message == "density at z of 5,592 random inputs"
    for name in ("marginal_kl_null", "marginal_kl_null_test"):
        assert rows[name].message == "density at z of 699 random inputs"
    assert abs(rows["marginal_kl_excess"].value) < 0.02
    assert rows["marginal_kl_excess"].standard_error < 0.02
    assert told[:3] == [("bracket of train", done, 2) for done in (0, 1, 2)]
    assert told[3:6] == [("density of train", done, 2) for done in (0, 1, 2)]
    assert told[6:8] == [("null of train", 1, 9), ("null of train", 2, 9)]
    assert told[-1] == ("tests of train", 8, 8)
    fewer = audit(mean[:8000], torch.full((8000, 3), 0.6), null_draws=2, null=NormalNull(draws=19))
    assert values(fewer)["marginal_kl"].message == "", "one z of each is of all"
    assert values(fewer)["marginal_kl_null"].message == "density at z of 1,048 random inputs"


def test_in_a_plane_densities_are_exact_at_every_input():
    mean = 0.8 * torch.randn(12_000, 2, generator=stream("encoder", 2))
    scale = torch.full_like(mean, 0.6)
    heldout = mean[:10_000] + 0.01, scale[:10_000]
    options = {"null_draws": 2, "null": NormalNull(draws=19), "test_rows": 50}
    measured = audit(mean, scale, heldout=heldout, **options)
    once = ("marginal_kl", "mutual_information", "marginal_kl_loo", "certified_kl_upper")
    told = {row.message for row in measured if row.metric in (*once, "hole_mass")}
    assert not any("random inputs" in message or "held-out z" in message for message in told)
    q = AggregatePosterior(mean, scale)
    whole = decompose(q, Normal(2), stream("z train", 0), draws=1)
    row = values(measured)["mutual_information"]
    assert row.value == pytest.approx(whole.mutual_information, abs=1e-9)
    assert row.standard_error == pytest.approx(whole.information_error, rel=1e-9)


def test_bare_latents_have_tests_and_moments_and_no_density():
    z = 2**0.5 * torch.randn(600, 2, generator=stream("z", 0))
    rows = values(audit_samples(z), "sample")
    assert all(row.split == "sample" for row in audit_samples(z))
    second = rows["second_moment"]
    assert abs(second.value - 2) < 4 * second.standard_error < 0.5
    assert rows["moment_kl"].value == pytest.approx(1 - 0.6931, abs=0.1)
    assert rows["marginal_kl"].value is None
    assert "mean and scale of every posterior" in rows["marginal_kl"].message
    for name in PANEL:
        blind = name in ("henze_zirkler_test", "mardia_test")
        assert (rows[name].p_value > 0.001) == blind
    assert "second_moment" not in values(audit_samples(z, Laplace(2)), "sample")
    with pytest.raises(ValueError, match="shape"):
        audit_samples(z[:, 0])


def test_bare_points_of_more_dimensions_than_rows_have_no_moment_kl():
    rows = values(audit_samples(torch.randn(20, 30, generator=stream("z", 0)), null=FEW), "sample")
    assert rows["moment_kl"].value is None
    assert "more rows than dimensions, got 20 rows and D = 30" in rows["moment_kl"].message
    assert rows["second_moment"].value is not None


def test_henze_zirkler_is_refused_in_many_dimensions():
    rows = values(
        audit_samples(torch.randn(110, 100, generator=stream("z", 0)), null=FEW), "sample"
    )
    assert rows["henze_zirkler_test"].p_value is None
    assert "1 to machine precision" in rows["henze_zirkler_test"].message


@pytest.mark.parametrize("groups", [torch.zeros(3).long(), torch.zeros(300), torch.zeros(300, 1)])
def test_groups_of_another_shape_or_kind_are_one_sentence(groups):
    message = r"groups must be integers of shape \(300,\), one label per z, got "
    for call in (
        lambda: audit(MEAN, SCALE, groups=groups),
        lambda: audit(MEAN[:30], SCALE[:30], heldout=(MEAN, SCALE), groups=groups),
        lambda: audit(MEAN, 0 * SCALE, groups=groups),
        lambda: audit_samples(MEAN, groups=groups),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_one_input_has_no_bracket_and_says_why():
    rows = audit(MEAN[:1], SCALE[:1], heldout=(MEAN[:1], SCALE[:1]))
    one = values(rows, "test")
    assert one["certified_kl_lower"].value is None
    assert "at least 20 independent z" in one["certified_kl_lower"].message
    assert one["certified_kl_upper"].message.startswith("an upper end needs at least 2 independent")
    few = values(audit(MEAN[:1], SCALE[:1], heldout=(MEAN, SCALE)), "test")
    assert "at least 2 rows" in few["certified_kl_lower"].message
