import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vaelib.numerics.exp2 import BITS, LOWEST, powers_


@given(st.floats(LOWEST / BITS, 700))
def test_bits_of_nats_give_the_exponential(nats):
    found = powers_(torch.tensor([BITS * nats], dtype=torch.float64))
    assert float(found) == pytest.approx(math.exp(nats), rel=1e-12)


@pytest.mark.parametrize("exponent", [LOWEST, -1030.0, -1e300, -math.inf])
def test_what_is_nothing_next_to_one_is_a_normal_number(exponent):
    assert powers_(torch.tensor([exponent], dtype=torch.float64)).tolist() == [2.0**LOWEST]


def test_what_is_no_number_shows():
    assert math.isnan(powers_(torch.tensor([math.nan]))[0])


def test_in_place():
    values = torch.zeros(3)
    assert powers_(values) is values
