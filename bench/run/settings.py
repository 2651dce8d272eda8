"""Settings of torch that decide what all code of a process computes, and who changed them."""

from collections.abc import Mapping

import torch

__all__ = ["LEAVES", "REMEDY", "changes", "settings"]

LEAVES = "leaves the settings of torch as they are"
REMEDY = "set them back where that ends, or name dtype and device in each call"


def settings() -> dict[str, str]:
    """What new tensors are, and whether gradients are kept, for all that runs in this process.

    Returns:
        Name of a setting -> its value.
    """
    return {
        "default dtype": str(torch.get_default_dtype()),
        "default device": str(torch.get_default_device()),
        "gradients": "on" if torch.is_grad_enabled() else "off",
        "inference mode": "on" if torch.is_inference_mode_enabled() else "off",
    }


def changes(before: Mapping[str, str]) -> str:
    """What is otherwise than it was.

    Args:
        before: what `settings` returned.

    Returns:
        Such as ``"default dtype torch.float64"``; empty where all is as it was.
    """
    now = settings()
    return " and ".join(f"{name} {now[name]}" for name in before if now[name] != before[name])
