"""Small VAEs that train well, collapse, explode or diverge, on digits and in seconds."""

import torch
from sklearn.datasets import load_digits
from torch import nn

__all__ = ["VAE", "digits", "trained"]


class VAE(nn.Module):
    """64 pixels, one hidden layer each way, 8 latent dimensions."""

    def __init__(self, beta=1.0, dropout=0.0):
        super().__init__()
        self.beta = beta
        self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(dropout))
        self.head = nn.Linear(64, 16)
        self.decoder = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64))

    def encode(self, x):
        mean, logvar = self.head(self.body(x)).chunk(2, 1)
        return {"mu": mean, "logvar": logvar}

    def loss(self, x):
        out = self.encode(x)
        mean, logvar = out["mu"], out["logvar"]
        z = mean + (logvar / 2).exp() * torch.randn_like(mean)
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum(1)
        # A Gaussian of scale .2 around the pixels.
        miss = 12.5 * (self.decoder(z) - x).square().sum(1)
        return (miss + self.beta * kl).mean()


def digits():
    """Training and held-out images, shapes (1200, 64) and (597, 64), in [0, 1]."""
    x = torch.tensor(load_digits().data, dtype=torch.float32) / 16
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    return x[order[:1200]], x[order[1200:]]


def trained(monitor, beta, rate, epochs, optimizer=torch.optim.Adam):
    """Trains with a monitor that looks before the first epoch and after each."""
    train, heldout = digits()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = VAE(beta)
        steps = optimizer(model.parameters(), rate)
        monitor.watch(model, heldout, epoch=0)
        for epoch in range(1, epochs + 1):
            for x in train[torch.randperm(len(train))].split(100):
                steps.zero_grad()
                model.loss(x).backward()
                steps.step()
            monitor.watch(model, heldout, epoch=epoch)
    return monitor
