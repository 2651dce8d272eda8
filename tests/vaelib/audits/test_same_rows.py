"""What is measured depends on shapes and the prior, not on the latents: a table of seeds, of which
one is flagged or damaged, has no holes."""

import pytest
import torch

from vaelib.audits.audit import audit
from vaelib.priors.mixtures import Mixture

N, D = 160, 3


def latents(kind, generator):
    mean = 0.8 * torch.randn(N, D, generator=generator)
    scale = torch.full_like(mean, 0.6)
    if kind == "copies":
        mean = mean[:20].repeat(8, 1)
    if kind == "constant":
        mean[:, 0], scale[:, 0] = 0.0, 1e-30
    if kind == "collapsed":
        mean, scale = torch.zeros(N, D), torch.ones(N, D)
    if kind == "saturated":
        mean, scale = 100 * mean, scale / 1e4
    if kind == "huge":
        mean, scale = 1e12 * mean, 1e6 * scale
    if kind == "wide":
        scale = 5 * scale
    return mean, scale


class Elsewhere(Mixture):
    """A mixture that draws what its density does not say."""

    def sample(self, count, generator):
        return super().sample(count, generator) + 5.0


def keys(mean, scale, prior, heldout):
    found = audit(mean, scale, prior, heldout, null_draws=1, test_rows=20)
    return {(row.split, row.source, row.metric) for row in found}


@pytest.mark.parametrize("kind", ["copies", "constant", "collapsed", "saturated", "huge", "wide"])
@pytest.mark.parametrize("held", [False, True])
def test_no_latents_change_what_is_measured(kind, held):
    generator = torch.Generator().manual_seed(0)
    usual, other = latents("", generator), latents(kind, generator)
    assert keys(*usual, "normal", usual if held else None) == keys(
        *other, "normal", other if held else None
    )


@pytest.mark.parametrize("held", [False, True])
def test_no_flag_of_a_prior_changes_what_is_measured(held):
    generator = torch.Generator().manual_seed(0)
    usual = latents("", generator)
    pair = usual if held else None
    assert keys(*usual, Mixture(D), pair) == keys(*usual, Elsewhere(D), pair)
