"""The words of verdicts: each where it belongs, and wrong ones no more often than promised."""

import numpy as np
import pytest
from scipy import stats

from bench.analysis.words import Sides, judge, sides, sides_of_equivalence
from tests.bench.synthetic import four_errors
from vaelib.stats.multiple_testing import holm

ALPHA, SEEDS, CLAIMS = 0.05, 10, 4
WIDE = 20.0  # a margin in standard errors: which side of it an effect at 0 lies on is plain
NARROW = 1.0


def test_the_sides_are_one_sided_t_tests():
    values = np.random.default_rng(0).normal(0.3, 1, (12, 1))
    found = sides(values, values, 0.5, 1e-9)
    for at, above, below in zip(found.boundaries, found.above, found.below, strict=True):
        for side, p_value in (("greater", above), ("less", below)):
            exact = stats.ttest_1samp(values[:, 0], at, alternative=side).pvalue
            assert p_value == pytest.approx(exact)
    same = sides_of_equivalence(values, values, 0.5, 1e-9)
    assert same.boundaries == (0.5,)
    assert same.below[0] == max(found.below[2], found.above[0])
    assert same.above[0] == pytest.approx(min(1, 2 * min(found.above[2], found.below[0])))


def test_of_several_effects_all_must_lie_above_and_one_below():
    values = np.random.default_rng(1).normal([0.2, 1.0, 3.0], 1, (12, 3))
    found = sides(values, values, 0.5, 1e-9)
    alone = [sides(values[:, [k]], values[:, [k]], 0.5, 1e-9) for k in range(3)]
    assert found.weakest == 0
    assert found.above == pytest.approx(np.max([one.above for one in alone], axis=0))
    least = 3 * np.min([one.below for one in alone], axis=0)
    assert found.below == pytest.approx(np.minimum(1, least))


@pytest.mark.parametrize(
    ("mean", "margin", "verdict", "present"),
    [
        (2.0, 1.0, "larger than the margin", True),
        (0.5, 1.0, "smaller than the margin", True),
        (0.0, 1.0, "absent within the margin", False),
        (-0.5, 1.0, "absent within the margin", False),
        (-1.0, 1.0, "opposite", False),
        (-2.0, 1.0, "opposite", False),
        (1.0, 1.0, "inconclusive", True),
        (-0.05, 0.1, "smaller than the margin", False),
        (0.0, 0.1, "inconclusive", False),
        (1.0, 0.0, "larger than the margin", True),
        (0.0, 0.0, "inconclusive", False),
        (-1.0, 0.0, "opposite", False),
    ],
)
def test_the_word_for_every_place(mean, margin, verdict, present):
    noise = np.linspace(-1, 1, SEEDS)[:, None]
    values = mean + 0.2 * noise / noise.std(ddof=1)  # standard error .063
    (said,) = judge([sides(values, values, margin, 1e-9)], [False], ALPHA)
    assert (said.verdict, said.present) == (verdict, present)
    assert said.p_holm == said.p_value or margin


def test_adjusted_p_values_count_the_claims_that_are_left():
    def one(*p_values):
        half = np.array(p_values) / 2
        return Sides((-1.0, 0.0, 1.0)[: len(half)], 1 - half, half, 0, 0)

    family = [one(0.5, 0.02, 0.001), one(0.015, 0.01, 0.002), one(0.03)]
    said = judge(family, [False] * 3, ALPHA)
    # .001 · 3, .002 · 3, .01 · 3, .015 · 3: now the second claim is decided, .02 · 2, .03 · 2
    assert said[1].p_holm == pytest.approx(0.03)  # opposite: of its boundary 0
    assert said[0].p_holm == pytest.approx(0.045) and said[0].verdict == "opposite"
    assert said[2].p_holm == pytest.approx(0.06) and said[2].verdict == "inconclusive"


def wrong(said, effect, margin):
    """Whether anything that is said of an effect is false."""
    false = {
        "larger than the margin": effect <= margin,
        "smaller than the margin": effect >= margin,
        "absent within the margin": abs(effect) >= margin,
        "opposite": effect >= 0,
        "inconclusive": False,
    }
    return false[said.verdict] or (said.present and effect <= 0)


def families(effects, margin, common, count, seed):
    """Sides of ``count`` families, by t tests of S seeds with standard error 1."""
    rng = np.random.default_rng(seed)
    claims = len(effects)
    signs = (-1) ** np.arange(claims)  # with what is common, dependence of either sign
    own, shared = rng.normal(size=(SEEDS, count, claims)), rng.normal(size=(SEEDS, count, 1))
    noise = np.sqrt(1 - common) * own + np.sqrt(common) * shared * signs
    values = np.asarray(effects) + np.sqrt(SEEDS) * noise
    boundaries = np.multiply.outer([-1.0, 0.0, 1.0], np.broadcast_to(margin, claims))
    error = values.std(0, ddof=1) / np.sqrt(SEEDS)
    t = (values.mean(0) - boundaries[:, None]) / error
    above = stats.t.sf(t, SEEDS - 1)
    return [
        [
            Sides(tuple(boundaries[:, k]), above[:, i, k], 1 - above[:, i, k], 0, 0)
            for k in range(claims)
        ]
        for i in range(count)
    ]


def places(margin):
    """Effects of a family: on their boundaries, all alike or mixed, and between them."""
    same = [(at * margin,) * CLAIMS for at in (-1, 0, 1)]
    return [*same, (0, margin, -margin, 0), (0, margin / 2, -margin / 2, margin)]


@pytest.mark.parametrize("common", [0.0, 0.9])
@pytest.mark.parametrize("margin", [NARROW, 3.0, WIDE])
def test_wrong_words_in_a_family_of_claims(margin, common):
    """At all boundaries, claims independent or not; each bound is missed with probability 6e-5."""
    count = 500
    for place, effects in enumerate(places(margin)):
        lost = 0
        for family in families(effects, margin, common, count, place):
            said = judge(family, [False] * CLAIMS, ALPHA)
            lost += any(map(wrong, said, effects, [margin] * CLAIMS))
        assert lost / count < ALPHA + four_errors(ALPHA, count), effects


def test_one_p_value_for_each_claim_would_not_hold_the_level():
    """All effects 0: shown below the margin, the last is asked at level alpha if it is there."""
    lost, count, claims = 0, 1000, 8
    margins = WIDE * 1.5 ** np.arange(claims)  # so that one is the last as a rule
    for family in families((0.0,) * claims, margins, 0.0, count, 1):
        p_values = np.array([claim.p_values for claim in family])
        steps = np.argsort(np.argsort(p_values.min(1)))
        assert (holm(p_values.min(1)) <= ALPHA).all()
        lost += (p_values[:, 1] <= ALPHA / (claims - steps)).any()
    assert lost / count > ALPHA + four_errors(ALPHA, count)


def test_wrong_words_about_equivalence():
    """Sizes on the margin, on either side."""
    rng, count, lost = np.random.default_rng(2), 500, 0
    for _ in range(count):
        values = rng.normal([[NARROW, -NARROW, 0.0]], 1.0, (SEEDS, 3))
        (said,) = judge([sides_of_equivalence(values, values, NARROW, 1e-9)], [True], ALPHA)
        lost += said.verdict != "inconclusive"
    assert lost / count < ALPHA + four_errors(ALPHA, count)
