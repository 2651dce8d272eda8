"""Priors of a user's own that leave something out: an answer or a sentence, whatever it is."""

import math
from itertools import product

import pytest
import torch

from vaelib import answers, audit, audit_samples
from vaelib.audits.answers import answers_from
from vaelib.audits.certified import SURFACE, UNKNOWN
from vaelib.audits.lacking import NO_RATE, NO_SAMPLE, has_rate, lacks, rated
from vaelib.likelihoods import Gaussian
from vaelib.priors import Normal, Prior
from vaelib.seeding import stream
from vaelib.simulation import sbc
from vaelib.stats.stack.candidates import Posteriors, PriorCandidate
from vaelib.stats.stack.fitted import fit_candidates, log_ratios

WIDE = 1.5
METHODS = ("log_prob", "sample", "kl", "to_normal")


def log_prob(self, z):
    """log N(z; 0, 1.5² I)."""
    return -0.5 * (z / WIDE).square().sum(-1) - z.shape[-1] * (math.log(WIDE) + 0.9189385332)


def sample(self, count, generator):
    return WIDE * torch.randn(count, self.latent_dim, generator=generator)


def kl(self, mean, scale):
    ratio = (mean.square() + scale.square()) / WIDE**2
    return 0.5 * (ratio - 1 - (scale / WIDE).square().log()).sum(-1)


def to_normal(self, z):
    return z / WIDE


def made(kept, **fields):
    """A prior with some of the methods; the others are those of the base, which has none."""
    methods = {name: globals()[name] for name in kept}
    return type("Own", (Prior,), methods | fields)(2)


def encoded(n, seed):
    generator = stream("of a prior of one's own", seed)
    mean = math.sqrt(WIDE**2 - 0.25) * torch.randn(n, 2, generator=generator)
    return mean, torch.full_like(mean, 0.5)


TRAIN, TEST = encoded(300, 0), encoded(300, 1)


def rows_of(prior, heldout=TEST):
    return {(row.metric, row.split): row for row in audit(*TRAIN, prior, heldout, null_draws=3)}


def answered(rows):
    return [*rows, *answers_from(rows, prior="Own")]


@pytest.mark.parametrize("closed_form", [True, False])
@pytest.mark.parametrize("surface", [True, False])
@pytest.mark.parametrize("kept", list(product(*([(), (name,)] for name in METHODS))))
def test_whatever_a_prior_lacks_there_is_an_answer_or_a_sentence(kept, surface, closed_form):
    kept = sum(kept, ())
    prior = made(kept, surface=surface, closed_form=closed_form)
    (mean, scale), heldout = encoded(60, 0), encoded(101, 1)
    for ask in (
        lambda: answered(audit(mean, scale, prior, heldout, test_rows=20)),
        lambda: audit(mean, 0 * scale, prior, test_rows=20),
        lambda: audit_samples(mean, prior, test_rows=20),
    ):
        try:
            found = ask()
        except ValueError as error:
            assert "prior must have log_prob, or a closed form of kl" in str(error)
            assert "log_prob" not in kept and not surface
            assert not (closed_form and "kl" in kept)
        else:
            for row in found:
                said = getattr(row, "message", "") or getattr(row, "sentence", "")
                assert row.value is not None or said, row


def test_the_bracket_needs_a_log_density_alone():
    whole, bare = (rows_of(made(kept)) for kept in (("log_prob", "sample", "kl"), ("log_prob",)))
    for metric in ("certified_kl", "certified_kl_lower", "certified_kl_upper"):
        assert bare[metric, "test"].value == pytest.approx(whole[metric, "test"].value, abs=1e-9)
    assert bare["rate", "test"].value == pytest.approx(whole["rate", "test"].value, abs=0.1)
    assert bare["rate", "test"].standard_error > 0, "estimated from the draws"
    assert {key for key, row in bare.items() if row.message == NO_SAMPLE} == {
        *((name, split) for name in OF_DRAWS for split in ("train", "test")),
        ("hole_mass", "test"),
    }
    assert set(bare) == set(whole)


OF_DRAWS = ("c2st_auc", "c2st_test", "mmd_squared", "mmd_test", "energy_test")


def test_the_answer_says_why_no_holes_were_looked_for():
    found = {one.question: one for one in answers(*TRAIN, TEST, prior=made(("log_prob",)))}
    assert found["holes"].sentence == f"{NO_SAMPLE[0].upper()}{NO_SAMPLE[1:]}."
    assert found["KL(q‖p)"].interval is not None


def test_a_surface_without_a_sampler_says_so():
    rows = rows_of(made(("kl",), surface=True))
    assert rows["certified_kl_lower", "test"].message == SURFACE
    assert rows["mmd_squared", "test"].message == NO_SAMPLE
    assert rows["rate", "test"].value is not None
    rows = rows_of(made(("log_prob",), surface=True))
    assert rows["rate", "test"].message == NO_RATE and rows["marginal_kl", "test"].value is None


def test_a_closed_form_alone_gives_a_rate_and_no_bracket():
    rows = rows_of(made(("kl", "sample")))
    assert rows["certified_kl_lower", "test"].message == UNKNOWN
    assert ("certified_kl_upper", "test") not in rows
    assert rows["rate", "test"].value > 0 and rows["mmd_test", "test"].p_value > 0


def test_what_is_not_implemented_is_lacking_and_what_raises_otherwise_is_not():
    def refuse(self, *_):
        raise NotImplementedError

    def fail(self, *_):
        raise RuntimeError("of another input")

    for name in ("log_prob", "sample", "kl"):
        assert lacks(made(()), name) and not lacks(made((name,)), name)
        assert lacks(made((), **{name: refuse}), name)
        assert not lacks(made((), **{name: fail}), name)
        assert not lacks(Normal(2), name)
    given = made(("log_prob",))
    assert given.closed_form and not rated(given).closed_form, "a copy"
    assert has_rate(rated(given)) and not has_rate(rated(made(("sample",))))


def test_nothing_else_draws_from_a_prior_without_a_sentence():
    prior = made(("log_prob",))
    generator = torch.Generator().manual_seed(0)
    z = TRAIN[0].double()
    candidates = fit_candidates(Posteriors(z, torch.zeros_like(z)), generator, prior=prior)
    assert log_ratios(candidates, z).shape == (300, len(candidates))
    with pytest.raises(ValueError, match="z must have shape"):
        log_ratios(candidates, z[:, :1])
    with pytest.raises(ValueError, match="the prior must have sample to draw from it, got Own"):
        PriorCandidate(prior).sample(3, generator)
    with pytest.raises(ValueError, match="prior must have sample to simulate from, got Own"):
        sbc(prior, lambda z: z, Gaussian((2,), scale=1.0), lambda x: (x / 2, 0 * x + 0.7))
