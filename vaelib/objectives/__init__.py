"""Training objectives.

An objective turns a model, a batch and its noise into the loss of one model: averaged over the
batch, in nats per data point, and computed on the last axes, so that a leading replicate axis
passes through. One that has parameters of its own, such as a discriminator, trains them with the
model. Keyword-only arguments are the options that a matrix may set.
"""

from vaelib.objectives.autoencoders import AdversarialAE, Autoencoder, RegularisedAE
from vaelib.objectives.base import Objective
from vaelib.objectives.bounds import ELBO, IWAE, BetaTC
from vaelib.objectives.penalties import DIP, WAE, InfoVAE

__all__ = [
    "OBJECTIVES",
    "DIP",
    "ELBO",
    "IWAE",
    "WAE",
    "AdversarialAE",
    "Autoencoder",
    "BetaTC",
    "InfoVAE",
    "Objective",
    "RegularisedAE",
]

OBJECTIVES: dict[str, type[Objective]] = {
    "elbo": ELBO,
    "iwae": IWAE,
    "tcvae": BetaTC,
    "infovae": InfoVAE,
    "wae": WAE,
    "dip": DIP,
    "ae": Autoencoder,
    "rae": RegularisedAE,
    "aae": AdversarialAE,
}
