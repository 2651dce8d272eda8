import math

import pytest
import torch

from tests.oracles import kl_scaled_normal
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.seeding import stream
from vaelib.stats.stack.upper import direct_terms, mean_upper_end, upper_end


def scaled(n, dimensions, variance, scale, generator):
    mean = torch.randn(n, dimensions, generator=generator, dtype=torch.float64)
    width = torch.full_like(mean, scale)
    return AggregatePosterior(mean * math.sqrt(variance - scale**2), width)


def test_one_posterior_for_all_inputs_gives_its_closed_form():
    posterior = AggregatePosterior(torch.zeros(2000, 3), torch.full((2000, 3), math.sqrt(2)))
    terms = direct_terms(posterior, Normal(3), stream("upper", 0))
    error = float(terms.std()) / math.sqrt(2000)
    assert float(terms.mean()) == pytest.approx(kl_scaled_normal(2, 3), abs=4 * error)


def test_it_lies_above_the_population_kl():
    """At most 2 of 60: nominally 2.5 %, less the finite N's own KL."""
    truth, missed = kl_scaled_normal(1.3, 2), 0
    for seed in range(60):
        posterior = scaled(300, 2, 1.3, 0.5, stream("upper", seed))
        missed += upper_end(posterior, Normal(2), stream("draws", seed)).value < truth
    assert missed <= 2


def test_the_largest_term_counts_twice():
    terms = torch.tensor([0.0, 0.0, 3.0]).double()
    more = torch.tensor([0.0, 0.0, 3.0, 3.0]).double()
    expected = 1.5 + 1.959964 * float(more.std()) / 2
    assert mean_upper_end(terms) == pytest.approx(expected, abs=1e-5)


def test_saturated_where_the_rate_exceeds_what_so_many_inputs_can_hold():
    narrow = upper_end(scaled(50, 4, 1.0, 0.01, stream("upper", 1)), Normal(4), stream("d", 0))
    assert narrow.saturated and narrow.floor == pytest.approx(narrow.rate - math.log(50))
    assert narrow.value >= narrow.floor
    wide = upper_end(scaled(500, 4, 1.0, 0.9, stream("upper", 2)), Normal(4), stream("d", 0))
    assert not wide.saturated and wide.floor < 0 < wide.value


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1, got 0"):
        mean_upper_end(torch.ones(3), 0)
    with pytest.raises(ValueError, match="terms must be at least 2, got 1"):
        mean_upper_end(torch.ones(1))
