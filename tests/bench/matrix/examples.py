"""A matrix that says everything, a short one, and plug-ins that they name."""

from typing import Any, Literal

from torch import Generator

from bench.matrix.language import Matrix

EXAMPLE = """\
# Does the match improve with depth and latent size?
# Cost: 2 minutes on 2 cores.
#
# Last: excess .31 -> .12 nats.
[matrix]
name  = "example"
seeds = 10                                   # seeds 0 … 9
[base]                                       # every key has a default
dataset    = { name = "digits" }
encoder    = { name = "mlp", hidden = [200, 200] }
decoder    = { name = "mlp", hidden = [200, 200] }
latent_dim = 2
prior      = { name = "normal" }
likelihood = { name = "bernoulli" }
objective  = { name = "elbo", beta = 1.0 }
training   = { steps = 2000, batch_size = 128, learning_rate = 1e-3 }
[[study]]
name = "encoder depth"
grid = { "encoder.hidden" = [[200], [200, 200], [200, 200, 200]] }
[[claim]]
id = "d"
says = "a deeper encoder matches better"
study = "encoder depth"
metric = "marginal_kl_excess"
expect = "decreasing"
margin = 0.05
"""
SHORT = '[matrix]\nname = "short"\n'
KEYS = "dataset, decoder, encoder, latent_dim, likelihood, objective, prior, quality, training"
HERE = __name__


class Toy:
    def __init__(
        self,
        latent_dim: int,
        *,
        width: float = 1,
        sizes: tuple[int, ...] = (1, 2),
        mode: Literal["soft", "hard"] = "soft",
        depth: int | None = None,
        anything=True,
        **rest: Any,
    ):
        pass


class Needy:
    def __init__(self, latent_dim: int, *, components: int, width: float = 3.0):
        pass


class Opaque:
    def __init__(self, latent_dim: int, *, generator: Generator = None):
        pass


class Callback:
    def __init__(self, latent_dim: int, *, notify: "Undefined" = 3):  # noqa: F821
        pass


TOY, NEEDY = f"{HERE}:Toy", f"{HERE}:Needy"


def study(text: str, name: str = "s") -> str:
    return f'[[study]]\nname = "{name}"\n{text}\n'


def identities(matrix: Matrix) -> list[str]:
    return [cell.id for cell in matrix.cells(lambda dataset: "0123456789abcdef")]


def names(matrix: Matrix) -> list[str]:
    return [configuration.name for configuration in matrix.configurations]
