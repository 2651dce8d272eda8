"""What each candidate of the stack is worth: `python -m tests.ablation` prints a Markdown table.

For each world, and for encoders trained here on digits, the value of the stack (the mean
cross-fitted gain, over seeds) and what it loses without each candidate, in percent of the KL; of
the value where the KL is not known. Where the KL is 0 no share exists, and only the value is shown.
The last row is the most that a candidate is worth anywhere.

`python -m tests.ablation --kept 3000 20000` prints the value by the number of inputs that
candidates are fitted to, a random choice of 60,000.
"""

import argparse
from collections import defaultdict
from dataclasses import dataclass
from functools import partial

import torch

from vaelib.datasets import digits
from vaelib.likelihoods import Bernoulli
from vaelib.models import VAE
from vaelib.networks import MLPDecoder, MLPEncoder
from vaelib.objectives.bounds import ELBO
from vaelib.priors import Normal
from vaelib.seeding import global_stream, stream
from vaelib.stats.stack.candidates import Posteriors
from vaelib.stats.stack.fitted import fit_candidates, log_ratios
from vaelib.stats.stack.weights import cross_fitted_gains, gain_estimate
from vaelib.training import Training, train
from vaelib.worlds.specified import WORLDS
from vaelib.worlds.untuned import OWN_WORLDS

TRAINING, HELD_OUT = 3000, 1500


@dataclass(frozen=True)
class Values:
    """The stack's value in one world, and what it loses without each candidate, in nats."""

    value: float
    error: float
    losses: dict[str, float]


def of_world(world, seed, count=TRAINING):
    """Training posteriors and held-out z of a world."""
    generator = stream("ablation", seed)
    if world.encode is not None:
        data = Posteriors(*world.encode(count, generator))
    else:
        z = world.draw(count, generator)
        data = Posteriors(z, torch.zeros_like(z))
    return data, world.draw(HELD_OUT, generator)


def of_encoder(latent_dim, seed):
    """The same of an encoder of digits: two hidden layers of 200, 1,500 steps."""
    data = digits()
    split = data.split(seed)
    with global_stream("initialisation", seed):
        model = VAE(
            MLPEncoder(data.data_shape, 2 * latent_dim, hidden=[200, 200]),
            Normal(latent_dim),
            MLPDecoder(latent_dim, data.data_shape, hidden=[200, 200]),
            Bernoulli(data.data_shape),
        )
    objective = ELBO(latent_dim, len(split.train))
    train([model], data.x, split.train[None], [objective], Training(steps=1500), [seed])
    held = torch.cat([split.validation, split.test])
    posteriors = [Posteriors(*model.posterior(data.x[own])) for own in (split.train, held)]
    fitted, new = (Posteriors(p.mean.double(), p.scale.double()) for p in posteriors)
    return fitted, new.draw(stream("ablation", seed))


def values(data, z, seed):
    """The value of the whole stack, and its losses."""
    generator = stream("ablation fit", seed)
    candidates = fit_candidates(data, generator)
    ratios = log_ratios(candidates, z)

    def gain(columns):
        return gain_estimate(cross_fitted_gains(ratios[:, columns], stream("ablation folds", seed)))

    every = list(range(len(candidates)))
    whole = gain(every)
    losses = {
        name: whole.value - gain([j for j in every if j != k]).value
        for k, name in enumerate(candidates)
        if k
    }
    return Values(whole.value, whole.standard_error, losses)


def table(rows):
    """Markdown of rows of (name, KL or None, one Values per seed)."""
    names = list(dict.fromkeys(n for _, _, seeds in rows for v in seeds for n in v.losses))
    most = defaultdict(float)
    lines = [f"| world | KL | value | {' | '.join(names)} |", "|---|" + "--:|" * (len(names) + 2)]
    for name, kl, seeds in rows:
        shown = ", ".join(f"{v.value:.3f} ± {v.error:.3f}" for v in seeds)
        cells = []
        for candidate in names:
            lost = [v.losses[candidate] for v in seeds if candidate in v.losses]
            whole = kl if kl is not None else sum(v.value for v in seeds) / len(seeds)
            if not lost or whole < 1e-9:
                cells.append("")
                continue
            share = 100 * sum(lost) / len(lost) / whole
            most[candidate] = max(most[candidate], share)
            cells.append(f"{share:.2f}")
        lines.append(
            f"| {name} | {'' if kl is None else f'{kl:.3f}'} | {shown} | {' | '.join(cells)} |"
        )
    lines.append(f"| most | | | {' | '.join(f'{most[n]:.2f}' for n in names)} |")
    return "\n".join(lines)


def kept_table(worlds, sizes, count=60_000):
    """Markdown of the value by the number of inputs that are kept."""
    lines = [f"| world | KL | {' | '.join(map(str, sizes))} |", "|---|" + "--:|" * (len(sizes) + 1)]
    for world in worlds:
        data, z = of_world(world, 0, count)
        cells = []
        for size in sizes:
            candidates = fit_candidates(data, stream("ablation fit", 0), most=size)
            gains = cross_fitted_gains(log_ratios(candidates, z), stream("ablation folds", 0))
            cells.append("{:.3f} ± {:.3f}".format(*gain_estimate(gains)))
        lines.append(f"| {world.name} | {world.kl:.3f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--own", action="store_true", help="the worlds that nothing is tuned to")
    parser.add_argument("--only", default="", help="worlds whose name contains this")
    parser.add_argument("--kept", type=int, nargs="+", help="numbers of inputs to keep")
    options = parser.parse_args()
    chosen = [*WORLDS, *OWN_WORLDS] if options.own else WORLDS
    if options.kept:
        print(kept_table([world for world in chosen if options.only in world.name], options.kept))
        return
    sources = [(world.name, world, partial(of_world, world)) for world in chosen]
    sources += [(f"digits, D = {d}", None, partial(of_encoder, d)) for d in (2, 4, 8, 16)]
    rows = []
    for name, world, make in sources:
        if options.only in name:
            seeds = [values(*make(seed), seed) for seed in range(options.seeds)]
            rows.append((name, None if world is None else world.kl, seeds))
    print(table(rows))


if __name__ == "__main__":
    main()
