"""Every estimator against its oracle, over D, N and scale: bias, and errors that hold.

A case promises what the docstring of its estimator does: an unbiased estimate; a biased one whose
mean is known; a bound in expectation; or an exact value, which then differs from its oracle by
rounding alone, on a random input in each repetition.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from bench import validity_oracles as oracles
from bench.validity import Task
from bench.validity_samples import matched_encoder, normal
from vaelib.likelihoods import Gaussian
from vaelib.models import VAE
from vaelib.posterior import AggregatePosterior
from vaelib.priors import Normal
from vaelib.seeding import stream
from vaelib.stats import divergences, energy, marginals, mmd, stein, two_sample
from vaelib.stats.bounds import evidence_lower_bound
from vaelib.stats.classifier import classifier_test
from vaelib.stats.holes import hole_mass

__all__ = ["EXACT", "Case", "Promise", "estimator_cases", "estimator_row", "estimator_tasks"]

Promise = Literal["unbiased", "mean known", "at most", "at least", "exact"]
Estimate = tuple[float, float]
"""A value and its printed standard error, NaN where none is printed."""

EXACT = 1e-6
"""Largest error of an exact estimator."""

_NONE = math.nan


@dataclass(frozen=True)
class Case:
    """One estimator in one setting.

    Attributes:
        estimator: Name of the metric, or of the function where there is none.
        setting: What it is applied to.
        oracle: Its value.
        source: Where the oracle comes from.
        promise: What the docstring promises of the mean over repetitions, against the oracle.
        estimate: Draws one repetition.
        repetitions: In the full form.
    """

    estimator: str
    setting: str
    oracle: Callable[[], float]
    source: str
    promise: Promise
    estimate: Callable[[torch.Generator], Estimate]
    repetitions: int = 400

    @property
    def name(self) -> str:
        """Estimator and setting."""
        return f"{self.estimator}: {self.setting}"


def estimator_cases() -> dict[str, Case]:
    """All cases by name."""
    families = (_fixed_mixtures, _pairs, _encoders, _exact, _kernels, _others)
    cases = [case for family in families for case in family()]
    return {case.name: case for case in cases}


def estimator_tasks(quick: bool) -> list[Task]:
    """One task per case.

    Args:
        quick: A tenth of the repetitions.

    Returns:
        The tasks.
    """
    share = 10 if quick else 1
    return [Task("estimators", n, c.repetitions // share) for n, c in estimator_cases().items()]


def estimator_row(task: Task) -> list[dict[str, Any]]:
    """Run one task.

    Args:
        task: Of this subject.

    Returns:
        One row: mean and standard error of the estimates, largest error, and how many of the
        printed standard errors (``printed`` of them) cover the oracle at 1.96.
    """
    case, generator = estimator_cases()[task.name], task.generator
    found = np.array([case.estimate(generator) for _ in range(task.repetitions)])
    oracle, values = case.oracle(), found[:, 0]
    printed = np.isfinite(found[:, 1])
    inside = np.abs(values - oracle) < 1.96 * found[:, 1]
    return [
        {
            "estimator": case.estimator,
            "setting": case.setting,
            "promise": case.promise,
            "oracle": oracle,
            "source": case.source,
            "again": task.again,
            "repetitions": len(values),
            "mean": float(values.mean()),
            "error": float(values.std(ddof=1)) / math.sqrt(len(values)),
            "largest": float(np.abs(values - oracle).max()),
            "printed": int(printed.sum()),
            "covered": int(inside.sum()),
        }
    ]


def _product(dimensions: int, levels: int, scale: float) -> AggregatePosterior:
    """All combinations of a few means per dimension: the dimensions are independent."""
    axes = [normal(levels, 1, stream("axis", j))[:, 0] for j in range(dimensions)]
    mean = torch.cartesian_prod(*axes).reshape(-1, dimensions)
    return AggregatePosterior(mean, torch.full_like(mean, scale))


def _axes(q: AggregatePosterior) -> list[tuple[np.ndarray, np.ndarray]]:
    """Distinct means of each dimension of a product mixture, and their scales."""
    distinct = [np.unique(q.mean[:, j].numpy()) for j in range(q.latent_dim)]
    return [(values, np.full(len(values), float(q.scale[0, 0]))) for values in distinct]


def _fixed_mixtures() -> Iterator[Case]:
    """The marginal KL and its parts for a fixed mixture, the oracle by quadrature."""
    quadrature = "quadrature"
    for dimensions, levels in ((1, 50), (2, 15), (4, 5), (8, 2)):
        for scale in (0.1, 0.5):
            q, prior = _product(dimensions, levels, scale), Normal(dimensions)
            setting = f"D = {dimensions}, N = {q.components}, s = {scale:g}"
            rate = float(
                np.mean([oracles.kl_normal(m.numpy(), q.scale[0].numpy()) for m in q.mean])
            )

            def kl(q: AggregatePosterior = q) -> float:
                return sum(oracles.kl_of_mixture(*axis) for axis in _axes(q))

            def estimate(
                generator: torch.Generator, q: AggregatePosterior = q, prior: Normal = prior
            ) -> divergences.Decomposition:
                return divergences.decompose(q, prior, generator, draws=4)

            yield Case(
                "marginal_kl",
                setting,
                kl,
                quadrature,
                "unbiased",
                lambda g, f=estimate: (f(g).marginal_kl, f(g).standard_error),
            )
            if scale == 0.5:
                yield Case(
                    "mutual_information",
                    setting,
                    lambda rate=rate, kl=kl: rate - kl(),
                    quadrature,
                    "unbiased",
                    lambda g, f=estimate: (f(g).mutual_information, f(g).standard_error),
                )
                yield from _parts(q, setting, kl, estimate)
    yield from _plane()


def _parts(
    q: AggregatePosterior,
    setting: str,
    kl: Callable[[], float],
    estimate: Callable[[torch.Generator], divergences.Decomposition],
) -> Iterator[Case]:
    per_dimension, _ = marginals.kl_per_dimension(q)

    def moments() -> float:
        return sum(
            oracles.kl_normal(np.array([m.mean()]), np.sqrt(np.array([m.var() + s[0] ** 2])))
            for m, s in _axes(q)
        )

    yield Case(
        "total_correlation",
        setting,
        lambda: 0.0,
        "independence",
        "unbiased",
        lambda g: (marginals.total_correlation(estimate(g).marginal_kl, per_dimension), _NONE),
    )
    yield Case(
        "negentropy",
        setting,
        lambda: kl() - moments(),
        "quadrature",
        "unbiased",
        lambda g: (estimate(g).marginal_kl - divergences.moment_kl(q), _NONE),
    )
    if q.latent_dim == 1:
        yield Case(
            "marginal_kl_loo",
            setting,
            lambda: oracles.leave_one_out_of_mixture(q.mean[:, 0].numpy(), q.scale[:, 0].numpy()),
            "quadrature",
            "unbiased",
            lambda g: divergences.leave_one_out_kl(q, Normal(1), g),
        )


def _plane() -> Iterator[Case]:
    """Mixtures in the plane whose dimensions depend on each other."""
    for scale in (0.3, 0.7):
        mean = 1.2 * normal(40, 2, stream("plane", 0)) + 0.3
        widths = scale * (1 + 0.5 * normal(40, 2, stream("plane", 1)).tanh())
        q, prior = AggregatePosterior(mean, widths), Normal(2)

        def kl(q: AggregatePosterior = q) -> float:
            return oracles.kl_on_plane(q.mean.numpy(), q.scale.numpy())

        def sides(q: AggregatePosterior = q) -> float:
            pairs = zip(q.mean.T.numpy(), q.scale.T.numpy(), strict=True)
            return sum(oracles.kl_of_mixture(m, s) for m, s in pairs)

        setting = f"D = 2, N = 40, unequal scales about {scale:g}, dependent"
        for draws in (1, 4):

            def estimate(
                g: torch.Generator,
                q: AggregatePosterior = q,
                draws: int = draws,
                prior: Normal = prior,
            ) -> Estimate:
                parts = divergences.decompose(q, prior, g, draws=draws)
                return parts.marginal_kl, parts.standard_error

            name = f"{setting}, draws = {draws}"
            yield Case("marginal_kl", name, kl, "quadrature", "unbiased", estimate, 2000)
        yield Case(
            "total_correlation",
            setting,
            lambda kl=kl, sides=sides: kl() - sides(),
            "quadrature",
            "unbiased",
            lambda g, f=estimate, q=q: (
                marginals.total_correlation(f(g)[0], marginals.kl_per_dimension(q)[0]),
                _NONE,
            ),
        )


def _pairs() -> Iterator[Case]:
    """N = 2, where means over encoders are integrals: the null, and the lower end."""
    for dimensions in (1, 2, 8):
        for scale in (0.3, 0.9):
            setting = f"matched encoder, D = {dimensions}, N = 2, s = {scale:g}"
            example = matched_encoder(2, dimensions, scale, stream("pairs", dimensions))
            prior = Normal(dimensions)
            gap = 2 * dimensions * (1 - scale**2) / (2 * scale**2)
            yield Case(
                "marginal_kl_null",
                setting,
                lambda s=scale, d=dimensions: oracles.null_of_two(s, d),
                "quadrature",
                "unbiased",
                lambda g, q=example: _null(divergences.marginal_kl_null(q, g, 50)),
            )
            yield Case(
                "marginal_kl_loo",
                setting,
                lambda s=scale, d=dimensions, gap=gap: -d * math.log(s) - gap,
                "closed form",
                "unbiased",
                lambda g, s=scale, d=dimensions, p=prior: (
                    divergences.leave_one_out_kl(matched_encoder(2, d, s, g), p, g)[0],
                    _NONE,
                ),
                2000,
            )


def _null(null: divergences.Null) -> Estimate:
    return null.mean, null.standard_error


def _encoders() -> Iterator[Case]:
    """Moments over matched encoders, whose population is N(0, I)."""
    for dimensions, count, scale in ((2, 100, 0.1), (2, 1000, 0.5), (8, 500, 0.1), (16, 500, 0.9)):
        setting = f"matched encoder, D = {dimensions}, N = {count}, s = {scale:g}"
        prior = Normal(dimensions)

        def encoder(
            g: torch.Generator, n: int = count, d: int = dimensions, s: float = scale
        ) -> AggregatePosterior:
            return matched_encoder(n, d, s, g)

        yield Case(
            "rate",
            setting,
            lambda d=dimensions, s=scale: -d * math.log(s),
            "closed form",
            "unbiased",
            lambda g, f=encoder, p=prior: (divergences.decompose(f(g), p, g).rate, _NONE),
            200,
        )
        yield Case(
            "second_moment",
            setting,
            lambda: 1.0,
            "closed form",
            "unbiased",
            lambda g, f=encoder: (divergences.second_moment(f(g)), _NONE),
            1000,
        )


def _exact() -> Iterator[Case]:
    """Estimators without noise, against independent arithmetic on random inputs."""

    def gaussian(g: torch.Generator, dimensions: int = 3) -> AggregatePosterior:
        return AggregatePosterior(normal(1, dimensions, g), 0.2 + normal(1, dimensions, g).abs())

    def mixture(g: torch.Generator, dimensions: int = 1) -> AggregatePosterior:
        return AggregatePosterior(normal(9, dimensions, g), 0.2 + normal(9, dimensions, g).abs())

    def of_gaussian(q: AggregatePosterior) -> float:
        return oracles.kl_normal(q.mean[0].numpy(), q.scale[0].numpy())

    def of_mixture(q: AggregatePosterior) -> float:
        return oracles.kl_of_mixture(q.mean[:, 0].numpy(), q.scale[:, 0].numpy())

    def exact(
        name: str, setting: str, source: str, error: Callable[[torch.Generator], float]
    ) -> Case:
        estimate = lambda g: (error(g), _NONE)  # noqa: E731
        return Case(name, setting, lambda: 0.0, source, "exact", estimate, 50)

    def dimension(g: torch.Generator, draw: Any, oracle: Any, dimensions: int) -> float:  # noqa: ANN401
        q = draw(g, dimensions)
        return float(marginals.kl_per_dimension(q)[0].sum()) - float(oracle(q))

    yield exact(
        "kl_per_dimension",
        "one Gaussian, D = 3",
        "closed form",
        lambda g: dimension(g, gaussian, of_gaussian, 3),
    )
    yield exact(
        "kl_per_dimension",
        "nine Gaussians, D = 1",
        "quadrature",
        lambda g: dimension(g, mixture, of_mixture, 1),
    )

    def one(estimator: Callable[[AggregatePosterior], float], g: torch.Generator) -> float:
        q = gaussian(g)
        return estimator(q) - of_gaussian(q)

    yield exact(
        "moment_kl", "one Gaussian, D = 3", "closed form", lambda g: one(divergences.moment_kl, g)
    )
    yield exact(
        "gauge_gain", "one Gaussian, D = 3", "closed form", lambda g: one(marginals.gauge_gain, g)
    )

    def kurtosis(g: torch.Generator) -> float:
        q = mixture(g)
        m, s = q.mean[:, 0].numpy(), q.scale[:, 0].numpy()
        x, parts, _ = oracles.mixture_on_grid(m, s)
        density = parts.mean(0)
        centred = x - np.trapezoid(x * density, x)
        second, fourth = (np.trapezoid(centred**k * density, x) for k in (2, 4))
        return float(marginals.excess_kurtosis(q)) - float(fourth / second**2 - 3)

    yield exact("excess_kurtosis", "nine Gaussians, D = 1", "quadrature", kurtosis)

    def law(g: torch.Generator) -> float:
        scale = float(0.2 + 0.7 * torch.rand((), generator=g))
        mean = math.sqrt(1 - scale**2) * torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
        q = AggregatePosterior(mean.double() * 1.5, torch.full((2, 2), 1.5 * scale).double())
        return divergences.variance_law(q) - 1.25

    yield exact("variance_law", "two points, all 1.5 times too wide", "closed form", law)

    def active(g: torch.Generator) -> float:
        count = int(torch.randint(9, (), generator=g))
        mean = normal(200, 8, g) * torch.where(torch.arange(8) < count, 0.5, 0.05)
        return float(divergences.active_units(AggregatePosterior(mean, mean.abs() + 0.1)) - count)

    yield exact("active_units", "a random number of 8 dimensions active", "construction", active)

    def floor(g: torch.Generator) -> float:
        m = np.arange(8) * 2.0 + float(torch.rand((), generator=g))
        rate = float(np.mean([oracles.kl_normal(np.array([x]), np.array([0.05])) for x in m]))
        return divergences.marginal_kl_floor(rate, 8) - oracles.kl_of_mixture(m, np.full(8, 0.05))

    yield exact("marginal_kl_floor", "eight components that do not overlap", "quadrature", floor)


def _kernels() -> Iterator[Case]:
    """Distances of kernels, of N(0, vI) to N(0, I)."""
    for v, dimensions, n in ((1.0, 2, 100), (2.0, 2, 100), (1.21, 8, 200), (1.21, 16, 50)):
        h, deviation = math.sqrt(dimensions), math.sqrt(v)
        setting = f"N(0, {v:g} I), D = {dimensions}, n = {n}"
        norm = oracles.mean_norm(dimensions)

        def draw(
            g: torch.Generator, n: int = n, d: int = dimensions, s: float = deviation
        ) -> Tensor:
            return s * normal(n, d, g)

        def case(
            name: str,
            promise: Promise,
            oracle: float,
            estimate: Callable[[torch.Generator], Any],
            setting: str = setting,
        ) -> Case:
            value = lambda g: (float(estimate(g)), _NONE)  # noqa: E731
            return Case(name, setting, lambda: oracle, "closed form", promise, value, 2000)

        squared = oracles.mmd_squared_scaled_normal(v, dimensions, h)
        within = [1 - (h**2 / (h**2 + 2 * x)) ** (dimensions / 2) for x in (v, 1.0)]
        yield case(
            "mmd_squared",
            "unbiased",
            squared,
            lambda g, f=draw, h=h: mmd.mmd_squared_normal_unbiased(f(g), [h]),
        )
        yield case(
            "mmd_squared_unbiased",
            "unbiased",
            squared,
            lambda g, f=draw, h=h, d=dimensions: mmd.mmd_squared_unbiased(
                f(g), normal(80, d, g), [h]
            ),
        )
        yield case(
            "mmd_squared_normal",
            "mean known",
            squared + within[0] / n,
            lambda g, f=draw, h=h: mmd.mmd_squared_normal(f(g), [h]),
        )
        yield case(
            "energy_distance_normal",
            "mean known",
            oracles.energy_distance_scaled_normal(v, dimensions) + math.sqrt(2 * v) * norm / n,
            lambda g, f=draw: energy.energy_distance_normal(f(g)),
        )
        ksd = oracles.ksd_squared_scaled_normal(v, dimensions, 1.0)
        yield case(
            "ksd_squared",
            "mean known",
            ksd * (1 - 1 / n) + (v * dimensions + dimensions) / n,
            lambda g, f=draw: stein.ksd_squared(f(g), [1.0], kernel=stein.gaussian_stein),
        )


def _others() -> Iterator[Case]:
    """Holes, the classifier, slices and the bound."""
    for v, dimensions, n in ((1.0, 2, 101), (1.0, 8, 1001), (0.7, 2, 401), (0.7, 8, 401)):
        q = AggregatePosterior(
            torch.zeros(1, dimensions), torch.full((1, dimensions), math.sqrt(v)).double()
        )
        yield Case(
            "hole_mass",
            f"q = N(0, {v:g} I), D = {dimensions}, n = {n} held out",
            lambda v=v, d=dimensions, n=n: oracles.hole_mass_scaled_normal(v, d, n),
            "order statistics",
            "unbiased",
            lambda g, q=q, v=v, d=dimensions, n=n: hole_mass(
                q, math.sqrt(v) * normal(n, d, g), Normal(d), g
            ),
            1000,
        )
    for v, promise, oracle in ((1.0, "unbiased", 0.5), (2.0, "at most", 2 / 3)):
        yield Case(
            "c2st_auc",
            f"N(0, {v:g} I), D = 2, n = m = 400",
            lambda oracle=oracle: oracle,
            "closed form: best AUC",
            promise,  # type: ignore[arg-type]
            lambda g, s=math.sqrt(v): (
                classifier_test(s * normal(400, 2, g), normal(400, 2, g), generator=g).statistic,
                _NONE,
            ),
        )

    def sliced(g: torch.Generator) -> Estimate:
        x = normal(50, 4, g)
        return two_sample.sliced_wasserstein(x, x + 1.0, generator=g, projections=50) ** 2, _NONE

    yield Case(
        "sliced_wasserstein",
        "squared, a shift of 1 in D = 4 dimensions",
        lambda: 1.0,
        "closed form",
        "unbiased",
        sliced,
    )
    yield from _linear_vae()


def _linear_vae() -> Iterator[Case]:
    """A linear VAE at its optimum, where the bound is the log likelihood of probabilistic PCA."""
    noise, variances = 0.5, np.array([4.0, 2.0])
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0][:, :2]
    loadings = turn * np.sqrt(variances - noise**2)
    scale = np.sqrt(noise**2 / variances)
    x = np.random.default_rng(1).normal(size=(50, 2)) @ loadings.T
    x += noise * np.random.default_rng(2).normal(size=x.shape)
    encoder, decoder = nn.Linear(5, 4), nn.Linear(2, 5, bias=False)
    mean = (turn * np.sqrt(variances - noise**2) / variances).T
    with torch.no_grad():
        encoder.weight.copy_(torch.from_numpy(np.concatenate([mean, np.zeros((2, 5))])))
        encoder.bias.copy_(torch.from_numpy(np.concatenate([np.zeros(2), np.log(scale)])))
        decoder.weight.copy_(torch.from_numpy(loadings))
    model = VAE(encoder, Normal(2), decoder, Gaussian((5,), scale=noise)).double()
    data = torch.from_numpy(x)

    def estimate(g: torch.Generator) -> Estimate:
        bound = evidence_lower_bound(model, data, g)
        return bound.elbo, bound.standard_error

    def oracle() -> float:
        return oracles.ppca_log_likelihood(x, loadings, noise)

    setting = "linear VAE at its optimum, D = 2, 50 inputs"
    yield Case("elbo", setting, oracle, "log likelihood of pPCA", "unbiased", estimate, 2000)
