"""Posteriors of other people's models, by what they return and not by where they come from.

No library is imported here. Understood are a callable or module that returns, or an object whose
``encode`` or ``encoder`` returns,

* a pair ``(mean, scale)``, ``(mean, logvar)`` or ``(mean, variance)``;
* a mapping, or an object with attributes, of such a pair under the names in ``MEANS``, ``LOGVARS``
  and ``SCALES``, as pythae's models do (``embedding``, ``log_covariance``);
* a distribution with ``mean`` and ``stddev``, such as ``torch.distributions``' ``Normal`` and
  ``Independent``, alone or before other parts, as the encoders of scvi-tools do; one that is not
  diagonal is refused;
* an object with ``latent_dist``, as the autoencoders of diffusers return.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, MultivariateNormal, Normal

from vaelib.arguments.plain import as_count, check_callable, shown
from vaelib.arguments.tensors import Numbers, as_device, as_tensor

__all__ = ["LOGVARS", "MEANS", "SCALES", "encode"]

MEANS = ("mean", "mu", "loc", "embedding", "qz_m", "z_mean")
LOGVARS = ("logvar", "log_var", "log_variance", "log_covariance", "z_log_var")
SCALES = ("scale", "std", "stddev", "sigma")
_VARIANCES = ("var", "variance", "qz_v")
_SECONDS = ("auto", "scale", "logvar", "variance")
_VIEWS = ("flat", "position")


def encode(
    model: Any,  # noqa: ANN401  # any encoder
    images: Numbers,
    batch_size: int = 256,
    *,
    second: str = "auto",
    view: str = "flat",
    device: str | torch.device | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[Tensor, Tensor]:
    """Encode images and bring the posteriors to the form that the audit takes.

    Args:
        model: an encoder, or what has one; see the module's text. A module is put in evaluation
            mode for the call, and back.
        images: shape (N, ...), floating point; what the model's encoder takes.
        batch_size: images at once.
        second: what the second of a bare pair is: ``"scale"``, ``"logvar"``, ``"variance"``, or
            ``"auto"``, which takes a pair with a negative second for a log variance and asks
            otherwise, and takes names and distributions at their word.
        view: of spatial latents (B, C, H, W): ``"flat"``, one latent of C H W dimensions per image,
            or ``"position"``, one of C dimensions per image and position. Those of one image depend
            on each other: for tests, take one position per image.
        device: where to encode; None for where the module's parameters are, or where the images
            are if there are none.
        progress: told how many images are done, and of how many.

    Returns:
        Means and scales, each of shape (N, D) (``"position"``: (N H W, D)), float32 or float64, on
        the CPU.

    Raises:
        TypeError: for images that are neither a tensor nor an array, or an option of another kind.
        ValueError: for images or options that are none, or an ambiguous or unusable posterior.

    Example:
        >>> layer = torch.nn.Linear(4, 6)
        >>> mean, scale = encode(lambda x: layer(x).chunk(2, 1), torch.rand(10, 4), second="logvar")
        >>> mean.shape, bool((scale > 0).all())
        (torch.Size([10, 3]), True)
    """
    _check(second, view, batch_size)
    check_callable(progress, "progress")
    x = _images(images)
    call, module = _encoder(model)
    where = as_device(device) or x.device
    if device is None and module is not None:
        where = next((part.device for part in module.parameters()), where)
    training = module is not None and module.training
    if module is not None:
        module.eval()
    means: list[Tensor] = []
    spreads: list[Tensor] = []
    kind = "unknown"
    try:
        with torch.no_grad():
            for start in range(0, len(x), batch_size):
                batch = x[start : start + batch_size]
                out = call(batch.to(where))
                mean, spread, kind = _parts(out)
                if mean.dim() < 2 or len(mean) != len(batch) or mean.shape != spread.shape:
                    raise ValueError(
                        "the encoder must return a mean and a spread of one shape, one row per "
                        f"image, got {tuple(mean.shape)} and {tuple(spread.shape)} for "
                        f"{len(batch)} images"
                    )
                if means and mean.shape[1:] != means[0].shape[1:]:
                    raise ValueError(
                        "the encoder must return latents of one shape for all images, got "
                        f"{tuple(means[0].shape[1:])} and {tuple(mean.shape[1:])}"
                    )
                means.append(mean.cpu())
                spreads.append(spread.cpu())
                progress(min(start + batch_size, len(x)), len(x))
    finally:
        if module is not None:
            module.train(training)
    scale = _scale(torch.cat(spreads), kind if second == "auto" else second)
    return _view(torch.cat(means), view), _view(scale, view)


def _check(second: str, view: str, batch_size: int) -> None:
    for name, value, known in (("second", second, _SECONDS), ("view", view, _VIEWS)):
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {shown(value)}")
    as_count(batch_size, "batch_size")


def _images(images: Numbers) -> Tensor:
    """Images in the type that they came in, which encoders may ask for."""
    numbers = as_tensor(images, "images")
    floats = isinstance(images, Tensor) and images.is_floating_point()
    whole = not floats and (isinstance(images, Tensor) or images.dtype.kind != "f")
    if whole or numbers.dim() < 2 or 0 in numbers.shape:
        raise ValueError(
            "images must be a floating-point tensor or array of shape (N, ...) with N at least 1, "
            f"got {images.dtype} of shape {tuple(images.shape)}"
        )
    return images if isinstance(images, Tensor) else numbers


def _encoder(model: Any) -> tuple[Callable[[Tensor], Any], nn.Module | None]:  # noqa: ANN401
    """What to call, and the module whose mode matters: ``encode``, ``encoder``, or the model."""
    module = model if isinstance(model, nn.Module) else None
    for name in ("encode", "encoder"):
        part = None if isinstance(model, str | bytes) else getattr(model, name, None)
        if callable(part):
            return part, module or (part if isinstance(part, nn.Module) else None)
    if isinstance(model, str | bytes) or not callable(model):
        raise ValueError(
            "model must be callable or have a callable encode or encoder, got "
            f"{type(model).__name__}"
        )
    return model, module


def _parts(out: Any) -> tuple[Tensor, Tensor, str]:  # noqa: ANN401
    """Mean, what tells the spread, and which of scale, logvar, variance or unknown it is."""
    out = getattr(out, "latent_dist", out)
    if isinstance(out, Distribution):
        return _of_distribution(out)
    if isinstance(out, tuple | list):
        if out and (len(out) == 1 or isinstance(out[0], Distribution)):
            return _parts(out[0])
        if len(out) == 2 and all(isinstance(part, Tensor | np.ndarray) for part in out):
            return _part(out[0]), _part(out[1]), "unknown"
        kinds = ", ".join(type(part).__name__ for part in out)
        raise ValueError(
            f"the encoder must return two tensors, got {len(out)} parts ({kinds}); "
            "wrap it in a function that returns the two"
        )
    mean = _named(out, MEANS)
    for kind, names in (("logvar", LOGVARS), ("scale", SCALES), ("variance", _VARIANCES)):
        spread = _named(out, names)
        if mean is not None and spread is not None:
            return mean, spread, kind
    known = ", ".join((*MEANS, *LOGVARS, *SCALES, *_VARIANCES))
    keys = f" with {', '.join(map(str, out))}" if isinstance(out, Mapping) else ""
    raise ValueError(
        "the encoder must return a pair of tensors, a distribution, or a mean and a spread under "
        f"names among {known}, got {type(out).__name__}{keys}"
    )


def _named(out: Any, names: tuple[str, ...]) -> Tensor | None:  # noqa: ANN401
    for name in names:
        part = out.get(name) if isinstance(out, Mapping) else getattr(out, name, None)
        if isinstance(part, Tensor | np.ndarray):
            return _part(part)
    return None


def _part(part: Numbers) -> Tensor:
    return as_tensor(part, "what the encoder returns")


def _of_distribution(out: Distribution) -> tuple[Tensor, Tensor, str]:
    base: Any = out
    while hasattr(base, "base_dist") and type(base).__name__ == "Independent":
        base = base.base_dist
    if isinstance(base, MultivariateNormal):
        covariance = base.covariance_matrix
        if not torch.equal(covariance, torch.diag_embed(covariance.diagonal(dim1=-2, dim2=-1))):
            raise ValueError(
                "posteriors must be diagonal, got a MultivariateNormal with correlations; "
                "audit samples of it with audit_samples"
            )
    elif not isinstance(base, Normal):
        raise ValueError(f"posteriors must be normal, got {type(base).__name__}")
    return _part(base.mean), _part(base.stddev), "scale"


def _scale(spread: Tensor, kind: str) -> Tensor:
    lowest = float(spread.min()) if spread.numel() else 0.0
    if kind in ("unknown", "auto"):
        if not lowest < 0:
            raise ValueError(
                "the second tensor has no negative value and may be a scale, a variance or a log "
                "variance: say which with second='scale', 'variance' or 'logvar'"
            )
        kind = "logvar"
    if kind == "logvar":
        return (0.5 * spread).exp()
    if lowest < 0:
        raise ValueError(f"{kind} must be positive, got min {lowest:.3g}; is it a log variance?")
    return spread.sqrt() if kind == "variance" else spread


def _view(values: Tensor, view: str) -> Tensor:
    if view == "flat":
        return values.flatten(1)
    if values.dim() < 3:
        raise ValueError(f"view 'position' needs spatial latents (B, C, ...), got {values.dim()}-D")
    return values.flatten(2).transpose(1, 2).flatten(0, 1)
