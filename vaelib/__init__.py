"""The science of the suite: tensors in, numbers out.

Letters used in every docstring of this package:

* ``N`` encoded inputs, the components of the aggregate posterior
* ``n`` held-out inputs, one z of each
* ``M`` evaluation points
* ``D`` latent dimensions
* ``S`` seeds (replicates)
* ``B`` draws of a null distribution, or the batch size where training is meant

All information quantities are in nats.

Where a tensor of numbers is taken, a NumPy array will do, in any real type, and where posteriors
are audited also a nested list or a data frame; what will not do is a ValueError or a TypeError of
one sentence (``vaelib/arguments/``).
"""

from vaelib.asking import platforms  # noqa: F401
from vaelib.asking.conditions import answers_by_condition
from vaelib.asking.density import fit_density
from vaelib.asking.price import price
from vaelib.asking.questions import answers, audit, audit_samples
from vaelib.asking.repair import repair
from vaelib.encoders.encoding import encode
from vaelib.latent_files.read import read_latents
from vaelib.monitoring.monitor import Monitor
from vaelib.posterior import AggregatePosterior
from vaelib.report import Report
from vaelib.samplers.file import load_sampler

__all__ = [
    "AggregatePosterior",
    "Monitor",
    "Report",
    "answers",
    "answers_by_condition",
    "audit",
    "audit_samples",
    "encode",
    "fit_density",
    "load_sampler",
    "price",
    "read_latents",
    "repair",
]
