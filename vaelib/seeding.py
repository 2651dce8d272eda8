"""Named random streams: every use of randomness draws from its own generator.

A replicate is one training seed. Its data split, initialisation, batch order, noise and evaluation
draw from separate streams of that seed, which all configurations share; so two configurations
that differ in one factor see the same split, the same batches and the same noise.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["global_stream", "stream"]


def _derive(name: str, seed: int) -> int:
    digest = hashlib.sha256(f"{name}:{seed}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def stream(name: str, seed: int) -> torch.Generator:
    """The random stream ``name`` of the replicate ``seed``.

    The state is derived from a hash of both, so it is the same on every machine, and streams of
    different names or seeds are unrelated. Streams live on the CPU: draws are moved to the device
    that needs them, which keeps the numbers the same there.

    Args:
        name: what the stream is for, for instance ``"data"`` or ``"noise"``.
        seed: the training seed.

    Returns:
        A new generator at the start of its stream.

    Example:
        >>> a, b = stream("noise", 3), stream("noise", 3)
        >>> bool((torch.randn(4, generator=a) == torch.randn(4, generator=b)).all())
        True
    """
    generator = torch.Generator()
    generator.manual_seed(_derive(name, seed))
    return generator


@contextmanager
def global_stream(name: str, seed: int) -> Iterator[None]:
    """Within it, torch's global generator is the stream; afterwards it is as before.

    For code that has no generator argument, such as the initialisation of ``nn.Module``.

    Args:
        name: what the stream is for.
        seed: the training seed.

    Yields:
        Nothing.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_derive(name, seed))
        yield
