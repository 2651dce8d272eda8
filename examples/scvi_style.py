"""An encoder in the manner of scvi-tools: it returns a distribution and a draw of it.

python examples/scvi_style.py
"""

import torch
from torch import nn
from torch.distributions import Normal

from vaelib import answers, encode
from vaelib.datasets import digits


class Encoder(nn.Module):
    """A linear encoder with a spread that is not learnt."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x: torch.Tensor) -> tuple[Normal, torch.Tensor]:
        """The posterior, and z drawn from it."""
        mean = x.flatten(1) @ self.weight
        posterior = Normal(mean, torch.full_like(mean, 0.6))
        return posterior, posterior.rsample()


def main() -> None:
    """Encode digits by their principal components, ask."""
    data = digits()
    split = data.split(seed=0)
    train, test = data.x[split.train], data.x[split.test]
    _, values, vectors = torch.linalg.svd(train.flatten(1), full_matrices=False)
    encoder = Encoder(0.8 * (vectors[1:9].T / values[1:9]) * len(train) ** 0.5)
    for answer in answers(*encode(encoder, train), encode(encoder, test)):
        print(f"{answer.question}: {answer.verdict}. {answer.sentence}")


if __name__ == "__main__":
    main()
