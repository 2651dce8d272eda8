"""A VAE of pythae, trained on digits; its marginal KL beside a brute-force evaluation.

python examples/pythae_audit.py
"""

import torch
from pythae.models import VAE, VAEConfig
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from vaelib import AggregatePosterior, answers, audit, encode
from vaelib.datasets import digits
from vaelib.priors import Normal as Prior
from vaelib.seeding import stream
from vaelib.stats.divergences import decompose


class BruteForce(AggregatePosterior):
    """The same mixture by torch.distributions: slow, and independent of vaelib's density."""

    def log_prob(self, z: torch.Tensor, *, leave_one_out: bool = False) -> torch.Tensor:
        """log q_N(z), shape (M,)."""
        weights = Categorical(torch.ones(self.components, dtype=torch.float64))
        q = MixtureSameFamily(weights, Independent(Normal(self.mean, self.scale), 1))
        return torch.cat([q.log_prob(part) for part in z.split(256)])


def main() -> None:
    """Train, encode, ask, compare."""
    torch.manual_seed(0)
    data = digits()
    split = data.split(seed=0)
    train, test = data.x[split.train], data.x[split.test]
    model = VAE(VAEConfig(input_dim=(1, 8, 8), latent_dim=2, reconstruction_loss="bce"))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(600):
        loss = model({"data": train[torch.randint(len(train), (128,))]}).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    mean, scale = encode(model, train)
    for answer in answers(mean, scale, encode(model, test)):
        print(f"{answer.question}: {answer.verdict}. {answer.sentence}")

    rows = {row.metric: row for row in audit(mean, scale) if not row.source}
    brute = decompose(BruteForce(mean, scale), Prior(2), stream("z train", 0), draws=4)
    print(f"marginal KL, audit:       {rows['marginal_kl'].value:.9f} nats")
    print(f"marginal KL, brute force: {brute.marginal_kl:.9f} nats")


if __name__ == "__main__":
    main()
