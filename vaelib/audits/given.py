"""What an audit is given: posterior means and scales, of inputs that were trained on or not."""

from torch import Tensor

from vaelib.arguments.tensors import Numbers, as_labels, as_tensor, check_finite

__all__ = ["as_held_out", "as_posteriors", "group_labels"]


def as_posteriors(mean: Numbers, scale: Numbers, of: str = "") -> tuple[Tensor, Tensor]:
    """Means and scales as tensors of one shape.

    Args:
        mean: posterior means, shape (N, D).
        scale: their standard deviations, shape (N, D).
        of: whose they are, for an error.

    Returns:
        Both, float32 or float64.

    Raises:
        TypeError: for what is neither a tensor nor an array.
        ValueError: for other than real numbers, or shapes that differ or are not (N, D).
    """
    mean, scale = as_tensor(mean, f"mean{of}"), as_tensor(scale, f"scale{of}")
    if mean.dim() != 2 or mean.shape != scale.shape or 0 in mean.shape:
        raise ValueError(
            f"mean and scale{of} must have the same shape (N, D) with N and D at least 1, "
            f"got {tuple(mean.shape)} and {tuple(scale.shape)}"
        )
    return mean, scale


def as_held_out(heldout: object, latent_dim: int) -> tuple[Tensor, Tensor] | None:
    """Means and scales of inputs that were not trained on, where there are any.

    Args:
        heldout: a pair of them, or None.
        latent_dim: D of the others.

    Returns:
        The pair, or None.

    Raises:
        ValueError: for what is no such pair, has another D, values that are not finite, or scales
            that are neither positive nor all 0.
    """
    if heldout is None:
        return None
    if not isinstance(heldout, tuple | list) or len(heldout) != 2:
        raise ValueError("heldout must be a pair of mean and scale, got something else")
    mean, scale = as_posteriors(heldout[0], heldout[1], " of heldout")
    if mean.shape[1] != latent_dim:
        raise ValueError(
            f"heldout must have {latent_dim} dimensions like mean, got {mean.shape[1]}"
        )
    check_finite(mean, "mean of heldout")
    check_finite(scale, "scale of heldout")
    if bool((scale != 0).any()) and not scale.min() > 0:
        raise ValueError(
            f"scale of heldout must be positive, or 0 for all, got min {float(scale.min()):.3g}"
        )
    return mean, scale


def group_labels(groups: object, rows: int) -> Tensor | None:
    """Labels of inputs that are not independent, where there are any.

    Args:
        groups: integers of shape (n,), or None.
        rows: n.

    Returns:
        The labels, or None.
    """
    return None if groups is None else as_labels(groups, "groups", rows, "z")
