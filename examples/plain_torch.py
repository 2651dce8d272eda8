"""A VAE in plain PyTorch, trained on digits: may its N(0, I) be sampled, and what does it cost?

python examples/plain_torch.py
"""

import torch
from torch import nn

from vaelib import answers, encode, price
from vaelib.datasets import digits


def main() -> None:
    """Train, encode, ask."""
    torch.manual_seed(0)
    data = digits()
    split = data.split(seed=0)
    train, test = data.x[split.train], data.x[split.test]
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 200), nn.ReLU(), nn.Linear(200, 4))
    decoder = nn.Sequential(nn.Linear(2, 200), nn.ReLU(), nn.Linear(200, 64))
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
    for _ in range(1000):
        x = train[torch.randint(len(train), (128,))]
        mean, logvar = encoder(x).chunk(2, dim=1)
        z = mean + (0.5 * logvar).exp() * torch.randn_like(mean)
        rate = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(1)
        loss = nn.functional.binary_cross_entropy_with_logits(
            decoder(z), x.flatten(1), reduction="none"
        )
        optimiser.zero_grad()
        (loss.sum(1) + rate).mean().backward()
        optimiser.step()

    def posterior(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return encoder(x).chunk(2, dim=1)

    def decode(z: torch.Tensor) -> torch.Tensor:
        return decoder(z).sigmoid()

    codes = encode(posterior, train, second="logvar")
    heldout = encode(posterior, test, second="logvar")
    for answer in answers(*codes, heldout):
        print(f"{answer.question}: {answer.verdict}. {answer.sentence}")
    labels = data.labels[split.train]
    print(price(decode, *codes, train, heldout, test, labels=labels))


if __name__ == "__main__":
    main()
