"""Every kind of distribution is answered, or refused with the line that works."""

import pytest
import torch
from torch import distributions as D
from torch.distributions import Independent, MultivariateNormal, Normal

from vaelib import encode

X = torch.rand(12, 4, generator=torch.Generator().manual_seed(0)) + 0.1


def m(x):
    return x[:, :3]


def s(x):
    return 0.2 + x[:, 1:4]


def correlated(x):
    return 0.5 + 0.5 * torch.eye(3).expand(len(x), 3, 3)


NORMAL = {
    "normal": lambda x: Normal(m(x), s(x)),
    "independent": lambda x: Independent(
        Independent(Normal(m(x)[..., None], s(x)[..., None]), 1), 1
    ),
    "covariance": lambda x: MultivariateNormal(m(x), torch.diag_embed(s(x) ** 2)),
    "scale_tril": lambda x: MultivariateNormal(m(x), scale_tril=torch.diag_embed(s(x))),
    "precision": lambda x: MultivariateNormal(
        m(x), precision_matrix=torch.diag_embed(s(x).double() ** -2).float()
    ),
    "low rank": lambda x: D.LowRankMultivariateNormal(m(x), torch.zeros(len(x), 3, 1), s(x) ** 2),
    "shifted": lambda x: D.TransformedDistribution(
        Normal(0 * m(x), torch.ones(1)), [D.AffineTransform(m(x), s(x))]
    ),
    "shifted by a negative scale": lambda x: D.TransformedDistribution(
        Independent(Normal(-m(x), s(x)), 1), [D.AffineTransform(0, -1.0)]
    ),
    "and a draw": lambda x: (Normal(m(x), s(x)), m(x)),
    "in a list": lambda x: [Normal(m(x), s(x))],
    "one for each input": lambda x: [Normal(m(r), s(r)) for r in x[:, None]],
    "one vector for each input": lambda x: [Normal(m(r)[0], s(r)[0]) for r in x[:, None]],
    "alone in a dictionary": lambda x: {"z": m(x), "p": Normal(m(x), s(x)), "l": None},
    "among others": lambda x: {"ql": Normal(m(x), 1.0), "qz": Normal(m(x), s(x))},
}


@pytest.mark.parametrize("name", NORMAL)
def test_normal_posteriors_are_answered(name):
    mean, scale = encode(NORMAL[name], X, batch_size=5)
    assert mean.dtype == scale.dtype == torch.float64
    torch.testing.assert_close(mean.float(), m(X))
    torch.testing.assert_close(scale.float(), s(X))


GROUPS = {
    "list": (lambda x: [Normal(m(x), s(x)), Normal(m(x)[:, :1], 2.0)], 1),
    "tuple": (lambda x: (Normal(m(x), s(x)), Normal(m(x)[:, :1], 2.0)), 1),
    "dictionary": (lambda x: {"z1": Normal(m(x), s(x)), "z2": Normal(m(x)[:, :1], 2.0)}, "z2"),
}


@pytest.mark.parametrize("name", GROUPS)
def test_several_posteriors_are_asked_for(name):
    """They may be groups of one z, levels, the posterior and its prior, or those of two inputs."""
    model, part = GROUPS[name]
    with pytest.raises(ValueError, match="say part=.* for one of them, part='all'"):
        encode(model, X)
    mean, scale = encode(model, X, part="all")
    torch.testing.assert_close(mean, torch.cat([m(X), m(X)[:, :1]], 1).double())
    assert scale[:, 3].eq(2).all()
    one, _ = encode(model, X, part=part)
    assert one.shape == (12, 1)
    with pytest.raises(ValueError, match="part must be a key or place"):
        encode(model, X, part="z9")


@pytest.mark.parametrize(
    "law",
    [
        lambda x: MultivariateNormal(m(x), correlated(x)),
        lambda x: D.LowRankMultivariateNormal(m(x), torch.ones(len(x), 3, 1), 0.1 * s(x)),
    ],
)
def test_of_correlated_posteriors_z_is_drawn_with_the_full_covariance(law):
    x = X[:1].expand(2000, 4)
    before = torch.get_rng_state()
    with pytest.warns(UserWarning, match="correlated .* never a yes"):
        z, scale = encode(law, x)
    assert torch.equal(torch.get_rng_state(), before)
    assert not scale.any()
    torch.testing.assert_close(
        z.T.cov(), law(X[:1]).covariance_matrix[0].double(), atol=0.15, rtol=0
    )
    with pytest.warns(UserWarning, match="correlated"):
        again, _ = encode(law, x)
    assert torch.equal(z, again)


OTHERS = {
    "Gamma": lambda x: D.Gamma(m(x), s(x)),
    "Laplace": lambda x: D.Laplace(m(x), s(x)),
    "StudentT": lambda x: D.StudentT(4.0, m(x), s(x)),
    "LogNormal": lambda x: D.LogNormal(m(x), s(x)),
    "Uniform": lambda x: D.Uniform(m(x), m(x) + s(x)),
    "MixtureSameFamily": lambda x: D.MixtureSameFamily(
        D.Categorical(torch.ones(len(x), 2)),
        Independent(Normal(torch.stack([m(x), -m(x)], 1), 0.1), 1),
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_of_others_z_is_drawn_where_it_is_asked_for(name):
    with pytest.raises(ValueError, match=f"must be normal, got {name} of shape.*second='z'"):
        encode(OTHERS[name], X)
    z, scale = encode(OTHERS[name], X, second="z")
    assert z.shape == (12, 3) and not scale.any()


@pytest.mark.parametrize(
    ("law", "why"),
    [
        (lambda x: D.OneHotCategorical(m(x)), "it is discrete"),
        (lambda x: type("VonMisesFisher", (D.Gamma,), {})(m(x), s(x)), "it lies on a sphere"),
    ],
)
def test_what_has_no_density_is_refused_with_the_reason(law, why):
    for second in ("auto", "z"):
        with pytest.raises(ValueError, match=why):
            encode(law, X, second=second)


SPREADS = {
    "(N, 1)": lambda x: s(x)[:, :1],
    "(1, D)": lambda x: s(x[:1]) * 0 + 0.3,
    "(D,)": lambda x: torch.tensor([0.1, 0.2, 0.3]),
    "()": lambda x: torch.tensor(0.3),
}


@pytest.mark.parametrize("name", SPREADS)
def test_a_spread_of_fewer_numbers_is_one_for_all(name):
    mean, scale = encode(lambda x: (m(x), SPREADS[name](x)), X, 5, second="scale")
    torch.testing.assert_close(scale, SPREADS[name](X).double().expand_as(mean))


@pytest.mark.parametrize(
    ("spread", "line"),
    [
        (lambda x: s(x)[:, 0], r"spread\[:, None\] if it is one per image"),
        (lambda x: s(x)[:, :2], "return both alike"),
    ],
)
def test_a_spread_that_fits_no_mean_is_refused(spread, line):
    with pytest.raises(ValueError, match=rf"one row per image, got \(\d+, 3\) and .*{line}"):
        encode(lambda x: (m(x), spread(x)), X, second="scale")


def test_a_spread_of_as_many_numbers_as_inputs_and_dimensions_is_asked_for():
    with pytest.raises(ValueError, match="if it is one per image"):
        encode(lambda x: (m(x), s(x)[:, 0]), X[:3], second="scale")
