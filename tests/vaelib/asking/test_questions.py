"""What is asked from Python comes in many forms, and each gives the same numbers."""

import numpy as np
import pandas as pd
import pytest
import torch

from vaelib import answers, answers_by_condition, audit, audit_samples, fit_density, repair
from vaelib.audits.answers import name_of
from vaelib.audits.audit import audit as bare_audit
from vaelib.audits.audit import audit_samples as bare_samples
from vaelib.priors import Normal, Prior, Uniform
from vaelib.stats.nulls import NormalNull

QUICK = {"null_draws": 2, "null": NormalNull(draws=19), "test_rows": 20}
MEAN = np.random.default_rng(0).integers(-8, 9, (40, 2)) / 4  # exact in half precision
SCALE = np.full((40, 2), 0.5)
LABELS = np.arange(40) % 2


def frame(x):
    return pd.DataFrame(x, columns=["a", "b"], index=[f"input {i}" for i in range(len(x))])


FORMS = {
    "array": lambda x: x,
    "float32 array": lambda x: x.astype(np.float32),
    "nested list": lambda x: x.tolist(),
    "tuple of tuples": lambda x: tuple(map(tuple, x.tolist())),
    "half": lambda x: torch.from_numpy(x).half(),
    "bfloat16": lambda x: torch.from_numpy(x).bfloat16(),
    "8 bits": lambda x: torch.from_numpy(x).to(torch.float8_e4m3fn),
    "with gradients": lambda x: torch.from_numpy(x).requires_grad_(),
    "data frame": frame,
    "nullable data frame": lambda x: frame(x).astype("Float64"),
    "float32 data frame": lambda x: frame(x).astype("float32"),
}


@pytest.fixture(scope="module")
def plain():
    tensors = [torch.from_numpy(x) for x in (MEAN, SCALE)]
    held = tuple(x.flip(0) + 0.0 for x in tensors)
    return bare_audit(*tensors, heldout=held, **QUICK)


@pytest.mark.parametrize("form", FORMS)
def test_an_audit_takes_numbers_as_people_have_them(form, plain):
    to = FORMS[form]
    held = (to(MEAN[::-1].copy()), to(SCALE[::-1].copy()))
    single = "float32" in form
    found = audit(to(MEAN), to(SCALE), heldout=held, **QUICK)
    assert single or list(found) == plain
    assert [row.metric for row in found] == [row.metric for row in plain]


@pytest.mark.parametrize("form", ["nested list", "half", "data frame"])
def test_every_question_takes_them(form):
    to = FORMS[form]
    mean, scale = to(MEAN), to(SCALE)
    groups = {"nested list": LABELS.tolist(), "data frame": pd.Series(LABELS)}.get(form, LABELS)
    assert answers(mean, scale, groups=groups) == answers(MEAN, SCALE, groups=LABELS)
    z = torch.from_numpy(MEAN)
    assert list(audit_samples(mean, test_rows=20)) == bare_samples(z, test_rows=20)
    by = answers_by_condition(mean, scale, groups, heldout=(mean, scale, groups))
    assert by == answers_by_condition(MEAN, SCALE, LABELS, heldout=(MEAN, SCALE, LABELS))
    drawn, same = (
        fit_density(*given).sample(9, torch.Generator().manual_seed(0))
        for given in ((mean, scale), (MEAN, SCALE))
    )
    assert torch.equal(drawn, same)


def three():
    return pd.DataFrame({"a": [1.0, 2, 3], "b": ["x", "y", "z"]})


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: audit(three(), SCALE), "^mean must hold real numbers, got column b of .*; drop"),
        (lambda: audit([[1, 2], [3]], SCALE), "^mean must be a table of numbers, got lists of dif"),
        (lambda: audit([["a"]], SCALE), "^mean must hold real numbers, got a list with other"),
        (lambda: audit([torch.ones(2)], SCALE), "^mean must be one table, got a list of tensors"),
        (lambda: audit(frame(MEAN), frame(SCALE)[::-1]), "^mean and scale must have their rows in"),
        (
            lambda: audit(frame(MEAN), frame(SCALE)[["b", "a"]]),
            "^mean and scale must have their col",
        ),
        (
            lambda: audit(MEAN, SCALE, heldout=(frame(MEAN), frame(SCALE)[::-1])),
            "^mean and scale of heldout must have their rows in the same order",
        ),
        (
            lambda: audit(MEAN, SCALE, heldout=(MEAN.tolist(), [["a"]])),
            "^scale of heldout must hold real numbers, got a list",
        ),
        (
            lambda: audit(MEAN, SCALE, heldout=frame(MEAN)),
            "^heldout must be a pair of mean and sca",
        ),
        (
            lambda: audit(frame(MEAN).mask(MEAN > 1.9), SCALE),
            "must be finite",
        ),
        (
            lambda: answers(MEAN, SCALE, groups=pd.Series(["a"] * 40)),
            "^groups must hold integers, got a column of .*; drop or convert it",
        ),
        (lambda: audit(MEAN, SCALE, margin=0), "^margin must be a positive number of nats, got 0"),
        (lambda: audit_samples(MEAN, margin=-1), "^margin must be a positive number of nats"),
        (lambda: fit_density(MEAN, prior="norml"), "^prior must be one of normal, uniform or a"),
        (lambda: fit_density(MEAN, prior=Normal(3)), "^prior must have the 2 dimensions of mean"),
        (lambda: fit_density(MEAN[:4]), "^mean must have at least 5 rows to fit, got 4"),
        (lambda: fit_density(MEAN, prior=Prior(2)), "^prior must have a log_prob with respect to"),
    ],
)
def test_what_is_no_table_is_one_sentence(call, said):
    with pytest.raises(ValueError, match=said) as error:
        call()
    assert "\n" not in str(error.value)


def test_priors_have_the_same_words_in_audit_and_answers():
    for prior, name in (("uniform", "the uniform prior"), (Uniform(2), "the Uniform prior")):
        assert name_of(prior) == name
        box = (MEAN / 2 + 5, SCALE)
        asked = [audit(*box, prior, **QUICK), answers(*box, prior=prior)]
        for report in asked:
            assert report.answer.question == f"is {name} safe to sample?"
            assert str(report).startswith(f"May I sample from {name}? ")
    said = [answers(MEAN, SCALE, prior=prior) for prior in ("normal", Normal(2))]
    assert said[0] == said[1] and said[1].asked.prior == "N(0, I)"


def test_settings_may_be_numbers_of_numpy_and_torch():
    plain = audit_samples(MEAN, margin=0.25, alpha=0.125, seed=1, test_rows=20)
    given = {"margin": np.float32(0.25), "alpha": torch.tensor(0.125), "seed": np.int64(1)}
    assert audit_samples(MEAN, **given, test_rows=20).to_json() == plain.to_json()


def test_a_prior_that_cannot_be_sampled_has_no_codes():
    class Own(Normal):
        sample = Prior.sample

    report = audit(MEAN, SCALE, Own(2), **QUICK)
    assert report.asked.codes.of_prior is None and report.asked.codes.of_q.shape == (40, 2)
    assert "<img" in report._repr_html_()


def test_a_fitted_density_is_the_call_that_the_advice_names():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(150, 2, generator=generator)
    mean, scale = z.sign() + 0.1 * z, torch.full_like(z, 0.1)
    advice = answers(mean, scale)[-1]
    assert advice.verdict.startswith("fit a density")
    assert "`vaelib.repair(mean, scale)`" in advice.sentence
    assert "`vaelib.repair(z)`" in audit_samples(mean, test_rows=20).answers[-1].sentence
    for density in (repair(mean, scale), repair(mean), fit_density(mean, scale), fit_density(mean)):
        z = density.sample(300, torch.Generator().manual_seed(1))
        assert z.shape == (300, 2) and z.dtype == torch.float64
        gain = density.log_prob(z) - Normal(2).log_prob(z)
        assert float(gain.mean()) > 1
