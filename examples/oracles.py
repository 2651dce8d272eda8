"""Three encoders whose answer is known: exact N(0, I), N(0, 2I), and a quilt of covariance I.

python examples/oracles.py
"""

import torch

from vaelib import answers


def exact(n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Means N(0, 1 - .6²) and scales .6: the aggregate posterior is N(0, I)."""
    mean = 0.8 * torch.randn(n, 2, generator=generator)
    return mean, torch.full_like(mean, 0.6)


def too_wide(n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """The same, times the root of 2: N(0, 2I)."""
    mean, scale = exact(n, generator)
    return 2**0.5 * mean, 2**0.5 * scale


def quilt(n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Ten patches on a ring, mean 0 and covariance I: right moments, wrong shape."""
    angle = torch.arange(n) % 10 * (2 * torch.pi / 10)
    centre = torch.stack([angle.cos(), angle.sin()], 1) * (2 * (1 - 0.3**2)) ** 0.5
    noise = (0.3**2 - 0.2**2) ** 0.5 * torch.randn(n, 2, generator=generator)
    return centre + noise, torch.full((n, 2), 0.2)


def main() -> None:
    """Ask about each."""
    for make in (exact, too_wide, quilt):
        generator = torch.Generator().manual_seed(0)
        print(f"\n{make.__name__}")
        for answer in answers(*make(1000, generator), make(1000, generator)):
            print(f"{answer.question}: {answer.verdict}. {answer.sentence}")


if __name__ == "__main__":
    main()
