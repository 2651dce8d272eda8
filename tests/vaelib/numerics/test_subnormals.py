import pytest
import torch

from vaelib.numerics.subnormals import subnormals_flushed

TINY = 1e-40  # below the least normal float32


def half():
    return float(torch.tensor(TINY) * 0.5)


def test_a_subnormal_number_is_zero_within_and_itself_before_and_after():
    assert half() > 0
    with subnormals_flushed():
        assert half() == 0
        with subnormals_flushed():
            assert half() == 0
        assert half() == 0
    assert half() > 0


def test_what_was_set_before_is_set_again_after_an_error():
    with pytest.raises(ValueError, match="within"), subnormals_flushed():
        raise ValueError("within")
    assert half() > 0
