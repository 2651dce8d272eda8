"""A VAE as its own simulator: is q(z|x) the posterior of its decoder?

The prior and p(x|z) make pairs of z and x of which the true posterior is known without computing
it: z is a draw of it. So no data are needed, and two causes come apart that every number of the
aggregate posterior mixes: the encoder may not be the posterior of its decoder, or the decoder's
marginal may not be the law of the data. Only the first is asked here.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from vaelib.audits.measurement import Measurement, joined
from vaelib.families import BoxFamily, Family, GaussianFamily, PointFamily
from vaelib.likelihoods import Bernoulli, Likelihood
from vaelib.models import BATCH, VAE
from vaelib.priors import Prior
from vaelib.priors.base import Encode
from vaelib.seeding import stream
from vaelib.stats.sbc import Calibration, calibration

__all__ = ["DrawX", "encoder_calibration", "sbc"]

DrawX = Callable[[Tensor, torch.Generator], Tensor]
"""One x for each output of the decoder, shape (n, *data_shape), as ``Likelihood.sample``."""

_RANKED = 99  # draws of q(z|x) that z is ranked among where its distribution function is not known
_EDGE = 1e-6  # by how much of its width z may leave a box of a float32 encoder
_NO_POSTERIOR = "not defined: the encoder is deterministic, it has no posterior to be calibrated"
_SIMULATED = "simulated from the decoder"
_GREY = "which draws pixels of 0 and 1 where the encoder was trained on grey levels"
_OUTSIDE = "z of the prior lay outside the support of q(z|x)"


@torch.no_grad()
def sbc(
    prior: Prior,
    decode: Callable[[Tensor], Tensor],
    likelihood: Likelihood | DrawX,
    encode: Encode,
    draws: int = 1000,
    seed: int = 0,
    *,
    family: Family | None = None,
    device: torch.device | str = "cpu",
) -> Calibration:
    """Simulation-based calibration of an encoder against prior, decoder and likelihood.

    Args:
        prior: what z is drawn from.
        decode: z of shape (n, D) in, what the likelihood takes out: logits for a Bernoulli. A
            module must be in evaluation mode.
        likelihood: of ``vaelib.likelihoods``, or a function of the decoder's output and a random
            stream that draws x.
        encode: x in, mean and scale of q(z|x) out, each of shape (n, D);
            ``functools.partial(vaelib.encode, model)`` for a model of another library.
        draws: pairs of z and x.
        seed: of the random streams.
        family: of q(z|x); without one, that of the prior. Ranks are exact for the suite's families,
            and by 99 draws of q(z|x) for another.
        device: where ``decode`` gets its z.

    Returns:
        Tests and effects, over the prior's z.

    Raises:
        ValueError: for a deterministic encoder, a bad number of draws, a prior without ``sample``,
            or posteriors of the wrong shape, not finite, or with scales that are not positive.

    References:
        Talts et al., Validating Bayesian inference algorithms with simulation-based calibration,
        2018.

    Example:
        A linear decoder with unit noise, whose posterior is N(x / 2, 1/2) in every dimension:

        >>> from vaelib.likelihoods import Gaussian
        >>> from vaelib.priors import Normal
        >>> noise = Gaussian((2,), scale=1.0)
        >>> exact = sbc(Normal(2), lambda z: z, noise, lambda x: (x / 2, 0 * x + 0.5**0.5))
        >>> narrow = sbc(Normal(2), lambda z: z, noise, lambda x: (x / 2, 0 * x + 0.5))
        >>> exact.test.p_value > 0.05, narrow.test.p_value > 0.05
        (True, False)
        >>> round(exact.overall.value, 1), round(narrow.overall.value, 1)
        (1.0, 0.7)
    """
    family = prior.family if family is None else family
    if isinstance(family, PointFamily):
        raise ValueError(_NO_POSTERIOR)
    if draws < 2:
        raise ValueError(f"draws must be at least 2, got {draws}")
    draw_x = likelihood.sample if isinstance(likelihood, Likelihood) else likelihood
    try:
        z = prior.sample(draws, stream("sbc z", seed)).to(device)
    except NotImplementedError:
        kind = type(prior).__name__
        raise ValueError(f"prior must have sample to simulate from, got {kind} without") from None
    noise, means, scales = stream("sbc x", seed), [], []
    for part in torch.split(z, BATCH):
        mean, scale = encode(draw_x(decode(part), noise))
        means.append(mean)
        scales.append(scale)
    posterior = _checked(torch.cat(means), torch.cat(scales), z)
    return calibration(*_ranks(family, z.double(), *posterior, stream("sbc ranks", seed)))


def _checked(mean: Tensor, scale: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and scale in float64 and where z is."""
    if mean.shape != z.shape or scale.shape != z.shape:
        raise ValueError(
            f"encode must return a mean and a scale of shape {tuple(z.shape)}, "
            f"got {tuple(mean.shape)} and {tuple(scale.shape)}"
        )
    mean, scale = mean.to(z.device, torch.float64), scale.to(z.device, torch.float64)
    if not (mean.isfinite().all() and scale.isfinite().all()):
        raise ValueError("the posteriors of simulated x must be finite, got NaN or infinite values")
    if not (scale > 0).all():
        raise ValueError(
            f"the scales of simulated x must be positive, got min {float(scale.min()):g}"
        )
    return mean, scale


def _ranks(
    family: Family, z: Tensor, mean: Tensor, scale: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    """Normal scores of z under its posterior, shape (n, D), and joint ranks where they differ."""
    if type(family) is GaussianFamily:
        return (z - mean) / scale, None
    if type(family) is BoxFamily:
        place = (z - mean) / (12**0.5 * scale) + 0.5
        inside = (place > -_EDGE) & (place < 1 + _EDGE)
        place = torch.where(inside, place.clamp(_EDGE**2, 1 - _EDGE**2), place.clamp(0, 1).round())
        return torch.special.ndtri(place), None
    log_prob = family.log_prob(z, mean, scale)
    below, denser = torch.zeros_like(z), torch.zeros_like(log_prob)
    for _ in range(_RANKED):
        noise = torch.randn(z.shape, generator=generator, dtype=torch.float64).to(z)
        draw = family.draw(mean, scale, noise)
        below += draw < z
        denser += family.log_prob(draw, mean, scale) > log_prob
    jitter = torch.rand((len(z), z.shape[1] + 1), generator=generator, dtype=torch.float64).to(z)
    ranks = (torch.cat([below, denser.unsqueeze(1)], 1) + jitter) / (_RANKED + 1)
    return torch.special.ndtri(ranks[:, :-1]), ranks[:, -1]


def encoder_calibration(
    model: VAE, x: Tensor, seed: int, draws: int
) -> tuple[list[Measurement], dict[str, np.ndarray]]:
    """Simulation-based calibration of a trained model's encoder, as measurements.

    Args:
        model: a trained model, in evaluation mode.
        x: some of the data, for its device and for whether they are what the likelihood draws.
        seed: of the replicate.
        draws: pairs of z and x; 0 for none.

    Returns:
        Measurements ``sbc_test``, ``sbc_joint_test`` and ``sbc_scale`` of split ``"test"``, though
        no data decide them; and the array ``"sbc"``, the counts of
        :class:`~vaelib.stats.sbc.Calibration`.
    """
    if not draws:
        return [], {}
    try:
        found = sbc(
            model.resolved_prior(),
            model.decoder,
            model.likelihood,
            model.encode,
            draws,
            seed,
            family=model.family,
            device=x.device,
        )
    except ValueError as error:
        return [Measurement("test", "sbc_test", None, message=str(error))], {}
    grey = isinstance(model.likelihood, Bernoulli) and not bool(((x == 0) | (x == 1)).all())
    note = f"{_SIMULATED}, {_GREY}" if grey else _SIMULATED
    value, spread = found.overall
    known = bool(np.isfinite(value))
    return [
        Measurement(
            "test", "sbc_test", found.test.statistic, p_value=found.test.p_value, message=note
        ),
        Measurement(
            "test",
            "sbc_joint_test",
            found.joint.statistic,
            p_value=found.joint.p_value,
            message=note,
        ),
        Measurement(
            "test",
            "sbc_scale",
            value if known else None,
            spread if known else None,
            message=joined(note, "" if known else _OUTSIDE),
        ),
    ], {"sbc": found.counts.astype(np.int32)}
