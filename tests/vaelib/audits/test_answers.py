import math

import pytest
import torch

from vaelib.audits.answers import Moments, answers_from
from vaelib.audits.audit import audit, audit_samples
from vaelib.audits.moment_answers import MARGINS, decide
from vaelib.audits.settings import AuditSettings
from vaelib.seeding import stream
from vaelib.stats.nulls import NormalNull

NULL = NormalNull(draws=199)
SETTINGS = AuditSettings(null_draws=39)
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
    rows = audit(*train, heldout=heldout, null_draws=SETTINGS.null_draws, null=NULL, test_rows=200)
    moments = {"train": Moments.of(*train)}
    if heldout is not None:
        moments["test"] = Moments.of(*heldout)
    return {answer.question: answer for answer in answers_from(rows, moments, SETTINGS)}


def test_an_exact_encoder_is_safe():
    answered = answers(exact(), exact(seed=1))
    verdicts = {question: answer.verdict for question, answer in answered.items()}
    assert verdicts["what was given"] == "held-out inputs"
    assert verdicts["scale"] == "right"
    assert verdicts["location"] in ("centred", "undecided")
    assert verdicts["correlation"] == "none"
    assert verdicts["shape"] == "normal"
    assert verdicts["saturation"] == "no"
    assert verdicts["holes"] in ("none", "undecided")
    assert verdicts[SAFE] == "yes"
    assert answered["what would help"].sentence == "Nothing is needed."
    low, high = answered["KL(q‖p)"].interval
    assert low < 0.1
    assert high < 0.1


def test_twice_the_variance_is_too_wide_and_rescaling_is_the_remedy():
    mean, scale = exact()
    answered = answers((2**0.5 * mean, 2**0.5 * scale))
    assert answered["what was given"].verdict == "training inputs only"
    assert answered["scale"].verdict == "too wide"
    assert answered["scale"].value == pytest.approx(2, abs=0.2)
    assert answered["shape"].verdict == "normal"
    assert answered[SAFE].verdict == "no"
    assert answered[SAFE].value == pytest.approx(1 - math.log(2), abs=0.06)
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
    assert "mixture or flow" in answered["what would help"].sentence
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
    assert answered["shape"].effect == "excess kurtosis"  # scales exceed 1: there is no excess
    assert abs(answered["shape"].value) < 0.2
    assert answered["location"].verdict == "shifted"


def test_saturation_is_said_and_the_classifier_decides_instead():
    answered = answers(exact(1000, 8, scale=0.1), exact(1000, 8, 1, 0.1))
    assert answered["saturation"].verdict == "saturated"
    assert answered[SAFE].effect == "c2st_auc"
    assert answered[SAFE].verdict in ("yes", "undecided")
    assert "more inputs" in answered["what would help"].sentence
    mean, scale = exact(1000, 8, scale=0.1)
    assert answers((1.5 * mean, scale))[SAFE].verdict == "no"


@pytest.mark.parametrize(
    ("factor", "scale", "safe"), [(1, "right", True), (1.5, "too wide", False)]
)
def test_bare_latents_are_answered_without_densities(factor, scale, safe):
    z = factor * torch.randn(2000, 2, generator=stream("z", 0))
    rows = audit_samples(z, null=NULL, test_rows=200)
    answered = {
        answer.question: answer for answer in answers_from(rows, {"sample": Moments.of_sample(z)})
    }
    assert answered["what was given"].verdict == "z only"
    assert answered["scale"].verdict == scale
    assert answered["holes"].verdict == "not measured"
    assert "saturation" not in answered
    assert (answered[SAFE].verdict == "yes") == safe
    assert (answered[SAFE].verdict == "no") != safe


def test_few_inputs_are_undecided_not_safe():
    assert answers(exact(40))[SAFE].verdict == "undecided"


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
    assert len(shared) == 4
    assert {name: METRICS[name].margin for name in shared} == {n: MARGINS[n] for n in shared}


def test_rows_without_their_moments_are_refused():
    with pytest.raises(ValueError, match="moments must hold the split"):
        answers_from([], {})
