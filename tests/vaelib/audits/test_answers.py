import math
from collections import Counter

import pytest
import torch

import vaelib
from vaelib.audits.answers import Moments, answers_from
from vaelib.audits.audit import audit, audit_samples
from vaelib.audits.moment_answers import MARGINS, correlation, decide, location, scale
from vaelib.audits.power import Counted
from vaelib.audits.verdict import Bracket, unseen_share, verdict
from vaelib.priors import Normal
from vaelib.seeding import stream
from vaelib.stats.nulls import NormalNull

NULL = NormalNull(draws=199)
SAFE = "is N(0, I) safe to sample?"


def exact(n=1000, dimensions=2, seed=0, scale=0.6):
    mean = torch.randn(n, dimensions, generator=stream("encoder", seed))
    return (1 - scale**2) ** 0.5 * mean, torch.full_like(mean, scale)


def quilt(n=1000, seed=0):
    """Ten patches on a ring: mean 0 and covariance I exactly, but for the noise."""
    angle = torch.arange(n) % 10 * (2 * torch.pi / 10)
    centre = torch.stack([angle.cos(), angle.sin()], 1) * (2 * (1 - 0.3**2)) ** 0.5
    noise = torch.randn(n, 2, generator=stream("quilt", seed))
    return centre + (0.3**2 - 0.2**2) ** 0.5 * noise, torch.full((n, 2), 0.2)


def answers(train, heldout=None):
    rows = audit(*train, heldout=heldout, null_draws=9, null=NULL, test_rows=200)
    moments = {"train": Moments.of(*train)}
    if heldout is not None:
        moments["test"] = Moments.of(*heldout)
    return {answer.question: answer for answer in answers_from(rows, moments)}


def test_an_exact_encoder_is_safe():
    answered = answers(exact(), exact(seed=1))
    verdicts = {question: answer.verdict for question, answer in answered.items()}
    assert verdicts["what was given"] == "held-out inputs"
    assert verdicts["scale"] == "right"
    assert verdicts["location"] in ("centred", "undecided")
    assert verdicts["correlation"] == "none"
    assert verdicts["shape"] == "normal"
    assert verdicts["holes"] in ("none", "undecided")
    assert verdicts[SAFE] == "yes"
    assert answered["what would help"].sentence == "Nothing is needed."
    assert next(iter(answered)) == SAFE and answered[SAFE].interval[1] < 0.05
    assert "may have gone unseen" in answered[SAFE].sentence
    assert "another law" not in answered[SAFE].sentence


def test_twice_the_variance_is_too_wide_and_rescaling_is_the_remedy():
    mean, scale = exact()
    answered = answers((2**0.5 * mean, 2**0.5 * scale))
    assert answered["what was given"].verdict == "training inputs only"
    assert answered["scale"].verdict == "too wide"
    assert answered["scale"].value == pytest.approx(2, abs=0.2)
    assert answered["shape"].verdict == "normal"
    assert answered[SAFE].verdict == "no"
    assert answered[SAFE].value == pytest.approx(1 - math.log(2), abs=0.1)
    assert answered[SAFE].interval[0] < 1 - math.log(2) < answered[SAFE].interval[1]
    assert "not proved for new ones" in answered[SAFE].sentence
    assert answered["what would help"].sentence.startswith("Rescale and shift")
    assert "held-out" in answered["what would help"].sentence


def test_half_the_scale_is_too_narrow():
    mean, scale = exact()
    assert answers((0.5 * mean, 0.5 * scale))["scale"].verdict == "too narrow"


def test_a_quilt_of_identity_covariance_is_right_in_scale_and_wrong_in_shape():
    answered = answers(quilt(), quilt(seed=1))
    assert answered["scale"].verdict == "right"
    assert answered["correlation"].verdict == "none"
    assert answered["shape"].verdict == "not normal"
    assert answered["holes"].verdict == "holes"
    assert answered[SAFE].verdict == "no"
    assert "density fitted to z" in answered["what would help"].sentence
    assert "escale" not in answered["what would help"].sentence


def test_a_shift_is_a_shift_and_not_a_scale():
    mean, scale = exact()
    answered = answers((mean + torch.tensor([0.5, 0.0]), scale))
    assert answered["location"].verdict == "shifted"
    assert answered["location"].value == pytest.approx(0.5, abs=0.1)
    assert answered["scale"].verdict == "right"
    assert answered[SAFE].verdict == "no"


def test_correlation_is_found_and_a_gaussian_advised():
    mean, scale = exact(3000)
    mixed = torch.stack([mean[:, 0], 0.6 * mean[:, 0] + 0.8 * mean[:, 1]], 1)
    answered = answers((mixed, scale))
    assert answered["correlation"].verdict == "correlated"
    assert answered["scale"].verdict == "right"
    assert answered["shape"].verdict == "normal"
    assert "Gaussian with the covariance" in answered["what would help"].sentence


def test_moments_in_many_dimensions_are_no_shape():
    """Scales about 1, as of an encoder that was not trained, and shifted dimensions."""
    scale = 0.8 + 0.4 * torch.rand(600, 24, generator=stream("scale", 0))
    mean = 0.3 * torch.randn(600, 24, generator=stream("encoder", 0)) + 0.4
    answered = answers((mean, scale))
    assert answered["shape"].verdict != "not normal"
    assert answered["location"].verdict == "shifted"
    assert answered[SAFE].verdict == "no"


def test_why_nothing_can_be_said_is_said_once():
    answered = answers(exact(100), exact(15, seed=1))
    assert answered[SAFE].sentence.startswith("Nothing can be said: at least 20 independent z")
    assert answered["KL(q‖p)"].verdict == "not measured"
    assert answered["KL(q‖p)"].sentence == "No lower end: the first answer says why."


def test_saturation_never_means_yes():
    answered = answers(exact(1000, 8, scale=0.1), exact(1000, 8, 1, 0.1))
    assert answered[SAFE].verdict == "undecided"
    assert "saturated and cannot give a yes" in answered[SAFE].sentence
    assert "inputs to read the KL" in answered["KL(q‖p)"].sentence
    assert "more inputs" in answered["what would help"].verdict
    mean, scale = exact(1000, 8, scale=0.1)
    assert answers((1.5 * mean, scale))[SAFE].verdict == "no"


@pytest.mark.parametrize(
    ("factor", "scale", "safe"), [(1, "right", "undecided"), (1.5, "too wide", "no")]
)
def test_bare_latents_are_answered_without_densities(factor, scale, safe):
    z = factor * torch.randn(2000, 2, generator=stream("z", 0))
    rows = audit_samples(z, null=NULL, test_rows=200)
    answered = {
        answer.question: answer for answer in answers_from(rows, {"sample": Moments.of_sample(z)})
    }
    assert answered["what was given"].verdict == "z only"
    assert answered["scale"].verdict == scale
    assert "holes" not in answered
    assert answered[SAFE].verdict == safe
    assert answered[SAFE].interval[1] == math.inf


def test_no_density_is_advised_where_none_was_fitted():
    z = torch.cat([2 * exact()[0].sign() + 0.1 * exact(seed=1)[0], torch.ones(1000, 1)], 1)
    given = answers_from(audit_samples(z), {"sample": Moments.of_sample(z)})
    assert given[0].verdict == "no"
    assert given[0].sentence.startswith("The KL is infinite: of 1,000 z all are the same in")
    assert given[1].verdict == "infinite" and given[0].interval is None
    assert "density" not in given[-1].sentence


@pytest.mark.parametrize("prior", [Normal, Normal(2).log_prob, None, 3])
def test_a_prior_is_an_instance_or_a_name(prior):
    with pytest.raises(ValueError, match="prior must be one of normal, uniform or a trained Prior"):
        vaelib.answers(*exact(40), prior=prior)


@pytest.mark.parametrize("margin", [0, -1.0, math.nan, math.inf, "a", None, (0.1,)])
def test_a_margin_is_refused_before_anything_is_measured(margin, monkeypatch):
    monkeypatch.setattr("vaelib.audits.answers.audit", None)
    with pytest.raises(ValueError, match="margin must be a positive number of nats, got"):
        vaelib.answers(*exact(40), margin=margin)


@pytest.mark.parametrize("alpha", [0, 1, math.nan, "a", None])
def test_a_level_is_a_number_between_0_and_1(alpha):
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1, got"):
        vaelib.answers(*exact(40), alpha=alpha)


def test_z_on_the_edge_of_a_box_are_inside():
    z = 10 * torch.rand(400, 2, generator=stream("box", 0), dtype=torch.float64)
    z[0, 0], z[1, 1] = 0.0, 10.0
    row = {row.metric: row for row in audit_samples(z, "uniform")}["certified_kl"]
    assert abs(row.value) < 4 * row.standard_error
    z[2, 0] = 10.001
    given = answers_from(audit_samples(z, "uniform"), prior="the box")
    assert given[0].verdict == "no" and "infinite: 1 z of 400 lie where" in given[0].sentence


def test_few_inputs_are_undecided_not_safe():
    assert answers(exact(40))[SAFE].verdict == "undecided"


@pytest.mark.parametrize("n", [1, 19, 20])
def test_of_fewer_inputs_than_bound_the_kl_no_dimension_is_called_collapsed(n):
    dead = torch.zeros(n, 2), torch.ones(n, 2)
    first = answers(exact(100), dead)[SAFE].sentence
    assert ("All 2 dimensions are collapsed" in first) == (n == 20)
    assert ("at least 20 independent z are needed" in first) == (n < 20)


def test_another_law_of_held_out_inputs_is_said_and_no_gain_is_advised_where_none_is():
    mean, scale = exact(600)
    found = answers((4 * mean, scale), exact(600, seed=1))
    assert found[SAFE].verdict == "yes"
    assert "another law than training inputs, with a variance of" in found[SAFE].sentence
    assert found["shape"].verdict == "undecided"
    assert "density" not in found["what would help"].sentence


def test_an_interval_decides_only_from_one_side():
    words = ("low", "mid", "high")
    assert decide((0.0, 0.8), 0.9, 1.1, words) == "low"
    assert decide((0.95, 1.05), 0.9, 1.1, words) == "mid"
    assert decide((1.2, 1.3), 0.9, 1.1, words) == "high"
    assert decide((0.8, 1.0), 0.9, 1.1, words) == "undecided"
    assert decide((1.0, 1.2), 0.9, 1.1, words) == "undecided"


def test_margins_are_those_of_the_metrics():
    from bench.metrics.registry import METRICS

    shared = MARGINS.keys() & METRICS.keys()
    assert shared == {"second_moment", "shape_gain", "hole_mass"}
    assert {name: METRICS[name].margin for name in shared} == {n: MARGINS[n] for n in shared}


def test_rows_without_their_moments_are_refused():
    with pytest.raises(ValueError, match="moments must hold the split"):
        answers_from([], {})


@pytest.mark.parametrize(
    ("bracket", "word"),
    [
        (Bracket(0.06, 0.5, 1000), "no"),
        (Bracket(0.05, 0.5, 1000), "undecided"),
        (Bracket(0.0, 0.049, 300), "yes"),
        (Bracket(0.0, 0.049, 299), "undecided"),
        (Bracket(0.0, 0.05, 1000), "undecided"),
        (Bracket(0.0, 0.01, 1000, saturated=True), "undecided"),
        (Bracket(9.0, 9.5, 1000, flagged=True), "flagged"),
        (Bracket(0.2, math.nan, 100), "no"),
        (Bracket(0.0, math.nan, 1000), "undecided"),
        (Bracket(math.nan, math.nan), "undecided"),
    ],
)
def test_the_verdict_is_the_bracket_against_the_margin(bracket, word):
    assert verdict(bracket) == word


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan, math.inf])
def test_a_margin_is_a_positive_number(margin):
    with pytest.raises(ValueError, match="margin must be a positive number of nats, got"):
        verdict(Bracket(0.0), margin)


def test_a_mode_of_that_share_is_unseen_with_the_chance_of_the_level():
    for n in (20, 300, 10_000):
        assert (1 - unseen_share(n)) ** n == pytest.approx(0.025)
        assert unseen_share(n) == pytest.approx(3.7 / n, rel=0.1)


def test_undecided_says_what_could_have_been_seen():
    mean, scale = exact(400, scale=0.2)
    heldout = exact(120, seed=1, scale=0.2)
    rows = audit(mean, scale, heldout=heldout, null_draws=9, null=NULL, test_rows=50)
    moments = {"train": Moments.of(mean, scale), "test": Moments.of(*heldout)}
    given = answers_from(rows, moments)[0]
    assert given.verdict == "undecided"
    assert "0.2 nats are certified, at level .025, with 100 held-out z at D = 2" in given.sentence
    assert "more than were given" not in given.sentence
    few = {**moments, "train": Moments.of(*exact(310, scale=0.2))}
    assert answers_from(rows, few)[0].sentence.endswith(
        "They have three training inputs for each held-out one, more than were given."
    )
    own = [Counted(120, 2, "ring", "rotated", 0.2, repeats=7, proved=5)]
    sentence = answers_from(rows, moments, planted=own)[0].sentence
    assert sentence.endswith("as many inputs and dimensions as here: ring 5 of 7.")
    assert "Planted" not in answers_from(rows, prior="another")[0].sentence


WRONG = {"too narrow", "too wide", "right on average only", "shifted", "correlated"}


@pytest.mark.parametrize("dimensions", [1, 4])
@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_few_draws_of_the_prior_are_seldom_called_anything_else(n, dimensions):
    """Of 300 samples 15 are expected at 5 % where q is p, and more than 27 in one of 1,000."""
    generator = torch.Generator().manual_seed(n)
    wrong = Counter()
    for _ in range(300):
        z = torch.randn(n, dimensions, generator=generator, dtype=torch.float64)
        points = Moments.of_sample(z), Moments.of(z, torch.full_like(z, 1e-6))
        for kind, own in zip(("sample", "narrow"), points, strict=True):
            for answer in (question(own) for question in (scale, location, correlation)):
                wrong[kind, answer.question] += answer.verdict in WRONG
    assert max(wrong.values()) <= 27
    assert n > 2 or not wrong.total()
