"""Answers of a prior that is conditioned on a label, and why there is none for codes."""

import functools
import json

import pytest
import torch

from vaelib import answers, answers_by_condition, audit_samples
from vaelib.audits.alarms import CODES
from vaelib.audits.answers import answers_from
from vaelib.audits.audit import audit
from vaelib.priors import Normal, Uniform
from vaelib.seeding import stream
from vaelib.stats.nulls import NormalNull


def encoded(n, generator, shift=(0.0, 0.0, 1.0)):
    """A matched encoder of three conditions, the last of which is moved."""
    label = torch.arange(n) % 3
    mean = 0.8 * torch.randn(n, 2, generator=generator, dtype=torch.float64)
    return mean + torch.tensor(shift)[label][:, None], torch.full_like(mean, 0.6), label


@pytest.fixture(scope="module")
def data():
    generator = stream("conditions", 0)
    return encoded(3000, generator), encoded(1500, generator)


def test_each_condition_is_answered_as_if_it_were_alone(data):
    train, heldout = data
    found = answers_by_condition(*train, heldout=heldout)
    assert {name: given[0].verdict for name, given in found.items()} == {
        0: "yes",
        1: "yes",
        2: "no",
    }
    rows, held = train[2] == 2, heldout[2] == 2
    alone = answers(
        train[0][rows], train[1][rows], (heldout[0][held], heldout[1][held]), alpha=0.025 / 3
    )
    assert found[2] == alone
    wider = answers(train[0][rows], train[1][rows], (heldout[0][held], heldout[1][held]))
    assert wider[0].interval[0] > alone[0].interval[0], "one of three has a third of the level"


def test_a_condition_may_have_a_prior_of_its_own(data):
    train, heldout = data

    class Moved(Normal):
        def log_prob(self, z):
            return super().log_prob(z - 1)

        def sample(self, count, generator):
            return super().sample(count, generator) + 1

        def to_normal(self, z):
            return z - 1

    found = answers_by_condition(*train, {0: Normal(2), 1: Normal(2), 2: Moved(2)}, heldout, seed=1)
    assert found[2][0].interval[0] < 0.01


def test_a_condition_without_heldout_inputs_says_so(data):
    train, (mean, scale, label) = data
    kept = label != 1
    found = answers_by_condition(*train, heldout=(mean[kept], scale[kept], label[kept]))
    assert "The encoder was trained on these inputs" in found[1][0].sentence
    assert "The encoder was trained" not in found[0][0].sentence


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"conditions": torch.zeros(2, dtype=int)}, "conditions must be integers of shape"),
        ({"conditions": torch.zeros(3000)}, "one label per input, got torch.float32"),
        (
            {"conditions": ["a"] * 3000},
            "conditions must hold integers, got a list with other values",
        ),
        ({"heldout": (torch.ones(9, 2), torch.ones(9, 2))}, "mean, scale and conditions, got"),
        ({"prior": {0: Uniform(2)}}, "prior must hold one for every condition, got none for 1"),
    ],
)
def test_what_cannot_be_is_one_sentence(change, said, data):
    (mean, scale, label), _ = data
    known = {"conditions": label, "prior": "normal"} | change
    if said.startswith("prior"):
        known["prior"] = {0: Normal(2)}
    with pytest.raises(ValueError, match=said):
        answers_by_condition(mean, scale, **known)


def test_heldout_inputs_of_a_new_condition_are_refused(data):
    train, (mean, scale, label) = data
    with pytest.raises(ValueError, match="conditions that were trained on, got 7; drop its inputs"):
        answers_by_condition(*train, heldout=(mean, scale, label + 7))


def test_the_latents_of_a_hierarchy_are_standardised():
    """z2 given z1 is N(z1/2, 1/4): the pair matches, and z2 alone does not look like N(0, I)."""
    generator = stream("hierarchy", 0)
    z1, noise = torch.randn(2, 2000, 2, generator=generator, dtype=torch.float64)
    z2 = z1 / 2 + noise / 2
    pair = audit_samples(torch.cat([z1, (z2 - z1 / 2) / 0.5], 1))
    bare = audit_samples(torch.cat([z1, z2], 1))
    lower = [r.value for rows in (pair, bare) for r in rows if r.metric == "certified_kl_lower"]
    assert lower[0] < 0.02 and lower[1] > 0.5


def test_codes_have_no_density():
    codes = torch.randint(512, (400, 3), generator=stream("codes", 0)).double()
    rows = audit_samples(codes)
    row = next(row for row in rows if row.metric == "certified_kl_lower")
    assert row.value is None and row.message == CODES
    given = answers_from(rows)
    assert given[0].verdict == "undecided" and CODES in given[0].sentence
    assert given[-1].verdict == "a law of the codes"


@pytest.fixture
def quick(monkeypatch):
    """Fewer draws of nulls, which decide nothing."""
    few = functools.partial(audit, null_draws=1, null=NormalNull(draws=19), test_rows=20)
    monkeypatch.setattr("vaelib.audits.answers.audit", few)


def test_all_conditions_are_one_object_of_json(data, quick):
    train, heldout = data
    found = answers_by_condition(*train, heldout=heldout)
    document = json.loads(found.to_json(), parse_constant=pytest.fail)
    alone = json.loads(found[2].to_json())
    assert document["schema"] == alone["schema"] and set(document) == set(alone)
    assert (document["verdict"], document["ok"]) == (found.verdict, found.ok) == ("no", False)
    assert document["sentence"] == "yes 2, no 1."
    assert document["question"] == "May I sample from N(0, I) given the condition?"
    assert document["joint"].startswith("Each end is at level 0.025/3 = 0.00833, so that all")
    assert [one["condition"] for one in document["conditions"]] == [0, 1, 2]
    of_last = document["conditions"][2]
    assert of_last["bracket"] == alone["bracket"] and of_last["answers"] == alone["answers"]
    assert of_last["bracket"]["alpha"] == pytest.approx(0.025 / 3) and document["alpha"] == 0.025
    rows = [{k: v for k, v in row.items() if k != "condition"} for row in document["rows"]]
    assert rows[-len(alone["rows"]) :] == alone["rows"] and alone["joint"] is None
    assert str(found).splitlines()[0].endswith("given the condition? yes 2, no 1.")
    assert str(found).splitlines()[-1] == document["joint"] and len(str(found).splitlines()) == 5


def test_priors_of_their_own_are_called_so(quick):
    train = encoded(60, stream("few", 0))
    found = answers_by_condition(
        *train, {0: Normal(2), 1: Normal(2), 2: Uniform(2, low=-9.0, high=9.0)}
    )
    document = json.loads(found.to_json())
    assert document["prior"] == "priors of their own"
    assert document["question"] == "May I sample from priors of their own given the condition?"
    asked = [one["question"] for one in document["conditions"]]
    assert asked[0] == "May I sample from N(0, I)?" != asked[2]
