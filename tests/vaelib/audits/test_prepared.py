"""What people's latents have: copies, constant dimensions, collapse, means in the place of z."""

import math
from functools import partial

import pytest
import torch

from vaelib.audits.answers import answered, answered_samples
from vaelib.audits.asked import Asked
from vaelib.audits.collapse import CARRIED, carried, collapsed_sentence, named
from vaelib.audits.document import Found, document
from vaelib.audits.effects import Evidence
from vaelib.audits.prepared import CONSTANT, COPIED, prepared
from vaelib.stats.nulls import NormalNull
from vaelib.stats.stack.repeats import first_of_copies

FEW = {"null": NormalNull(draws=19), "test_rows": 40}
of_z = partial(answered_samples, **FEW)
of_posteriors = partial(answered, null_draws=2, **FEW)


def normal(n, dimensions, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, dimensions, generator=g, dtype=torch.float64)


@pytest.mark.parametrize("times", [2, 4, 10])
def test_rows_that_repeat_are_said_and_count_once(times):
    rows, (first, *_) = of_z(normal(100, 8).repeat_interleave(times, 0))
    said = f"{100 * (times - 1):,} of {100 * times:,} inputs repeat others exactly"
    assert first.verdict == "undecided" and first.sentence.startswith(said)
    assert {row.metric: row.value for row in rows}["certified_inputs"] == 100


def test_repeated_posteriors_are_answered_by_the_distinct_ones():
    pair = 0.8 * normal(100, 4).repeat(3, 1), torch.full((300, 4), 0.6)
    _, (first, *_) = of_posteriors(*pair)
    assert first.sentence.startswith("200 of 300 inputs repeat others exactly, and each counts")
    rows, (held, *_) = of_posteriors(
        0.8 * normal(200, 4, 1), torch.full((200, 4), 0.6), heldout=pair
    )
    assert Evidence(rows, "test").inputs == 100 and held.verdict == "undecided"


def test_rows_in_groups_are_kept():
    z = normal(100, 3).repeat(2, 1)
    kept = prepared((z, 0 * z), groups=torch.arange(100).repeat(2))
    assert len(kept.train[0]) == 200 and not kept.rows


@pytest.mark.parametrize(
    ("z", "kept"),
    [
        (normal(300, 2)[torch.randint(300, (300,), generator=torch.Generator().manual_seed(0))], 0),
        (torch.cat([normal(300, 2), normal(300, 2)[:100]]), 300),
        (normal(400, 1).repeat(3, 1), 1200),  # of one dimension they may be rounded
        ((normal(5000, 2) * 20).round(), 5000),  # rounded
        (normal(64, 4)[(normal(3000, 1)[:, 0].abs() * 20).long().clamp(max=63)], 3000),  # codes
    ],
)
def test_copies_are_told_from_atoms_and_rounding(z, kept):
    assert len(first_of_copies(z)) == (kept or len(torch.unique(z, dim=0)))


def test_dead_dimensions_are_named_and_left_out():
    z = normal(1000, 5)
    z[:, 1], z[:, 4] = 3, 0
    rows, said = of_z(z)
    first, kl, _, scale, *_ = said
    assert first.verdict == "no" and first.sentence == (
        "The KL is infinite: dimensions 1 and 4 are the same for every input. Of the others no "
        "mismatch is proved."
    )
    assert kl.verdict == "infinite" and scale.verdict == "right"
    assert "rescale" not in said[-1].sentence.lower()
    found = Evidence(rows, "sample")
    assert found.value(CONSTANT) == 2 and COPIED not in found.row
    assert math.isinf(found.bracket.lower) and abs(found.value("excess_kurtosis")) < 0.5
    asked = Asked("N(0, I)", 0.05, 0.025, {"sample": 1000}, 5)
    bracket = document(Found(rows, said, asked))["bracket"]
    assert bracket["lower"] is None and bracket["missing"]["lower"].startswith(
        "the KL is infinite: "
    )


def test_what_is_constant_everywhere_stays():
    z = torch.ones(50, 2)
    kept = prepared((z, 0 * z), split="sample")
    assert kept.train[0].shape == z.shape and not kept.rows


def test_what_a_dimension_carries_is_bounded_whatever_its_scale():
    """Of two equally likely inputs far apart log 2 nats; scaling z changes nothing."""
    mean = torch.tensor([[-3.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    scale = torch.tensor([[0.1, 1.0, 0.1], [0.1, 1.0, 1.0]])
    bound = carried(mean, scale)
    assert bound[0] >= math.log(2) and bound[1] == 0 and bound[2] > 0.4
    assert torch.allclose(carried(1e-3 * mean, 1e-3 * scale), bound)
    exact = carried(0.1 * normal(100_000, 1), torch.full((100_000, 1), 0.99**0.5))
    assert float(exact) == pytest.approx(CARRIED, rel=0.02)


@pytest.mark.parametrize("scale", [torch.zeros(2, 2), torch.ones(3, 2)])
def test_what_carries_is_of_posteriors(scale):
    with pytest.raises(ValueError, match="positive scale must have the same shape"):
        carried(torch.zeros(2, 2), scale)


def test_collapse_is_named_first_and_never_well():
    flat, one = 1e-3 * normal(400, 3), torch.full((400, 3), 0.999)
    _, found = of_posteriors(flat, one, heldout=(1e-3 * normal(400, 3, 1), one))
    assert found[0].verdict == "yes" and found[0].sentence.startswith(
        "All 3 dimensions are collapsed: z carries nothing"
    )
    assert "nothing is needed" not in found[-1].sentence and "less weight" in found[-1].sentence
    mean, scale = 0.8 * normal(100, 3), torch.full((100, 3), 0.6)
    mean[:, 1], scale[:, 1] = 0, 1
    _, some = of_posteriors(mean, scale)
    assert some[0].sentence.startswith("Collapsed, the same for every input, is dimension 1 of 3.")


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ([3], "dimension 3"),
        ([0, 1, 5], "dimensions 0 and 1 and 5"),
        ([0, 4, 5, 6, 9], "dimensions 0, 4 to 6 and 9"),
        (range(0, 40, 2), "20 dimensions, among them 0, 2, 4, 6, 8, 10, 12, 14,"),
    ],
)
def test_dimensions_are_named(numbers, words):
    assert named(torch.tensor(list(numbers))) == words
    assert collapsed_sentence(None) == ""


def test_means_in_the_place_of_z_are_suspected():
    _, found = of_z(0.7 * normal(600, 8))
    assert found[0].verdict == "no" and "z must be a draw of each" in found[0].sentence
    assert found[-1].sentence.startswith("Save one draw of each posterior")
    _, wide = of_z(1.2 * normal(600, 8))
    assert "means of posteriors" not in wide[0].sentence


def test_no_number_of_inputs_is_out_of_reach():
    _, found = of_posteriors(5 * normal(100, 9), torch.full((100, 9), 1e-6))
    assert "more than a billion inputs" in found[1].sentence
