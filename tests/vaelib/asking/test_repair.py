"""A sampler asked for from Python: bare latents, maps, and a line of code that runs."""

import pytest
import torch

from vaelib import repair


def normal(n, seed, dimensions=2):
    g = torch.Generator().manual_seed(seed)
    return 3 + torch.randn(n, dimensions, generator=g, dtype=torch.float64)


def test_bare_latents_need_no_scale_among_held_out_ones_either():
    z, others = normal(200, 0), normal(100, 1)
    found = repair(z, None, (others, None))
    same = repair(z, 0 * z, (others, 0 * others))
    assert found.stack == same.stack and not found.split
    said, without = str(found).splitlines(), str(same).splitlines()
    assert "bare z have no upper end" in said[1] and "latents without a scale" in without[1]
    assert said[:1] + said[2:] == without[:1] + without[2:]


def test_the_constants_of_many_dimensions_are_where_the_line_says():
    found = repair(normal(200, 0, 33), None, (normal(100, 1, 33), None), plain=True)
    (line,) = [line for line in str(found).splitlines() if line.startswith("    z = ")]
    names = {"sampler": found, "torch": torch, "n": 50}
    exec(line.strip(), names)
    assert names["z"].shape == (50, 33) and abs(float(names["z"].mean()) - 3) < 0.2


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((normal(200, 0), None, normal(9, 1)), "heldout must be a pair of mean and scale"),
        ((normal(200, 0), None, ("z", None)), "mean of heldout must be a torch.Tensor"),
        ((torch.zeros(9, 2, 3, 3),), r"got maps of \(3, 3\) places.*; flatten them"),
        ((normal(200, 0), None, None, "laplace"), "prior must be one of normal, uniform"),
    ],
)
def test_what_cannot_be_repaired_is_refused_in_one_sentence(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        repair(*given)
