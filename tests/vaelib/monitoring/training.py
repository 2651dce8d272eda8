"""Small VAEs that train well, collapse, explode or diverge, on digits and in seconds."""

import torch
from sklearn.datasets import load_digits
from torch import nn

__all__ = ["VAE", "Adam", "digits", "epoch", "trained"]


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


class Adam:
    """As torch's, whose import takes seconds; without momenta it is plain descent."""

    def __init__(self, model, rate, momenta=True):
        self.parameters, self.rate, self.momenta = list(model.parameters()), rate, momenta
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.steps = 0

    @torch.no_grad()
    def step(self, gradients):
        self.steps += 1
        for p, g, first, second in zip(
            self.parameters, gradients, self.first, self.second, strict=True
        ):
            first.lerp_(g, 0.1)
            second.lerp_(g.square(), 0.001)
            scaled = first / (1 - 0.9**self.steps)
            scaled = scaled / ((second / (1 - 0.999**self.steps)).sqrt() + 1e-8)
            p -= self.rate * (scaled if self.momenta else g)


def epoch(model, optimizer, images):
    """One pass over the images, in batches of 100."""
    for x in images.split(100):
        optimizer.step(torch.autograd.grad(model.loss(x), optimizer.parameters))


def trained(monitor, beta, rate, epochs, momenta=True):
    """Trains with a monitor that looks before the first epoch and after each."""
    train, heldout = digits()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = VAE(beta)
        optimizer = Adam(model, rate, momenta)
        monitor.watch(model, heldout, epoch=0)
        for number in range(1, epochs + 1):
            epoch(model, optimizer, train)
            monitor.watch(model, heldout, epoch=number)
    return monitor
