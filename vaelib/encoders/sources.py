"""What of a model is to be called, and how: by what it has, not by where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vaelib.arguments.plain import kind_of
from vaelib.encoders.modes import hidden, modules_of, unwrapped
from vaelib.encoders.names import LOGSTDS, LOGVARS, MEANS, SCALES, VARIANCES
from vaelib.encoders.seen import seen

__all__ = ["Source", "source_of"]

_CODES = ("quantize", "quantizer", "vector_quantizer", "vq", "codebook", "codes")
_FLOWS = ("flow", "flows", "iaf", "maf", "iaf_flow", "maf_flow", "nf", "normalizing_flow")
_AFTER_A_FLOW = ("VAE_IAF", "VAE_LinNF", "HVAE", "RHVAE")
_BY_GRADIENTS = ("HVAE", "RHVAE")
_NO_DENSITY = {
    "VQVAE": "its latents are entries of a codebook, which have no density",
    "SVAE": "its latents lie on a sphere, where N(0, I) is no prior",
    "PoincareVAE": "its latents lie in a hyperbolic space, whose normal law is another",
}
_WORDS = frozenset(
    ("fc", "linear", "lin", "layer", "head", "to", "conv", "net", "proj", "dense", "encoder")
) | frozenset(("enc", "z", "q", "latent", "hidden", "hidden2", "out", "output", "l", "h"))
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@dataclass(frozen=True)
class Source:
    """How to come from a batch to posteriors.

    Attributes:
        call: the input of a batch, or with ``whole`` the batch, in; what a model returns out.
        modules: whose evaluation mode matters.
        others: that a function uses, by their names.
        whole: whether it takes batches as they come.
        z: whether what returns is z, whatever the second of a pair is said to be.
        note: a sentence for whoever reads the result.
    """

    call: Callable[[Any], Any]
    modules: list[nn.Module]
    others: dict[str, nn.Module]
    whole: bool = False
    z: bool = False
    note: str = ""

    @property
    def parameter(self) -> Tensor | None:
        """One whose device and type inputs must have; None where there is none."""
        every = [*self.modules, *self.others.values()]
        parts = (part for module in every for part in module.parameters())
        return next((part for part in parts if part.dtype in _FLOATS), None)


def source_of(model: Any, call: Callable[[Any], Any] | None) -> Source:  # noqa: ANN401
    """Find what to call.

    Args:
        model: a module, a function, or what has an ``encode`` or an ``encoder``.
        call: a caller's own way from a batch to posteriors, or None.

    Returns:
        The source.

    Raises:
        ValueError: for what has nothing to call, or a model whose latents have no density.
    """
    model = unwrapped(model)
    name = getattr(model, "model_name", None)
    if isinstance(name, str) and name in _NO_DENSITY:
        raise ValueError(f"posteriors must have a density, got a {name}: {_NO_DENSITY[name]}")
    if call is not None:
        others = {key: part for key, part in hidden(call).items() if part is not model}
        ours = modules_of(model)
        held = {id(module) for module in ours}
        others = {key: part for key, part in others.items() if id(part) not in held}
        return Source(call, ours, others, whole=True)
    if isinstance(name, str) and name in _AFTER_A_FLOW and callable(getattr(model, "embed", None)):
        return _after_a_flow(model, name)
    found = _called(model)
    function = _evaluated_by_keras(found) if _is_keras(found) else found
    modules = modules_of(model, found)
    held = {id(module) for module in modules}
    others = {key: part for key, part in hidden(found).items() if id(part) not in held}
    return Source(_with_heads(model, function), modules, others, note=_note(model))


def _after_a_flow(model: Any, name: str) -> Source:  # noqa: ANN401
    def embed(x: Tensor) -> Any:  # noqa: ANN401
        with torch.set_grad_enabled(name in _BY_GRADIENTS):
            return model.embed(x)

    note = (
        f"the decoder of a {name} sees z after flow or Hamiltonian steps, of unknown density, so "
        "one such z of each input was drawn, and the scales are 0: the answer can be a no, never a "
        "yes"
    )
    return Source(embed, modules_of(model), {}, z=True, note=note)


def _called(model: Any) -> Callable[[Any], Any]:  # noqa: ANN401
    """``encode``, ``encoder`` or the model itself."""
    plain = isinstance(model, str | bytes | type)
    for name in () if _is_encoder(model) else ("encode", "encoder"):
        part = None if plain else unwrapped(getattr(model, name, None))
        if callable(part):
            found: Callable[[Any], Any] = part
            return found
    if plain or not callable(model):
        raise ValueError(
            f"model must be callable or have a callable encode or encoder, got {kind_of(model)}"
            f"{' ' + seen(model) if isinstance(model, str) else ''}; load it, or pass a function"
        )
    if callable(getattr(model, "z_encoder", None)):
        raise ValueError(
            f"model must say how it encodes, got {kind_of(model)} with z_encoder, whose input is "
            "prepared elsewhere; hand over the model that holds it and its AnnData, as in "
            "encode(model, adata), or z_encoder itself with what it takes"
        )
    whole: Callable[[Any], Any] = model
    return whole


def _is_encoder(model: Any) -> bool:  # noqa: ANN401
    """Whether a module says by its name that its output is what is wanted, not that of a part."""
    name = type(model).__name__.lower()
    ours = name.endswith("encoder") and not name.endswith("autoencoder")
    return isinstance(model, nn.Module) and ours and not callable(getattr(model, "encode", None))


def _is_keras(model: Any) -> bool:  # noqa: ANN401
    libraries = {kind.__module__.split(".")[0] for kind in type(model).__mro__}
    return bool(libraries & {"keras", "tf_keras", "tensorflow"})


def _evaluated_by_keras(model: Callable[..., Any]) -> Callable[[Any], Any]:
    """Arrays in; out by the names of the outputs, where those are names of a posterior's parts."""

    def call(x: Any) -> Any:  # noqa: ANN401
        out = model(x.cpu().numpy() if isinstance(x, Tensor) else np.asarray(x), training=False)
        if not isinstance(out, tuple | list):
            return out
        names = getattr(model, "output_names", ())
        named = dict(zip(names, out, strict=False)) if len(names) == len(out) else {}
        return named if set(named) & set(MEANS) else list(out)

    return call


def _with_heads(model: Any, function: Callable[[Any], Any]) -> Callable[[Any], Any]:  # noqa: ANN401
    """With the two layers beside an encoder that make mean and spread of what it returns."""
    if callable(getattr(model, "encode", None)) or not isinstance(model, nn.Module):
        return function
    heads = {_word(name): part for name, part in model.named_children() if name != "encoder"}
    mean = next((heads[name] for name in MEANS if name in heads), None)
    spreads = (*LOGVARS, *LOGSTDS, *SCALES, *VARIANCES)
    kind = next((name for name in spreads if name in heads), None)
    if mean is None or kind is None or function is model:
        return function

    def call(x: Any) -> Any:  # noqa: ANN401
        features = function(x)
        if not isinstance(features, Tensor):
            return features
        if isinstance(mean, nn.Linear) and features.shape[-1] != mean.in_features:
            features = features.flatten(1)
        pair = mean(features), heads[kind](features)
        # a layer without an activation that is called std may give its logarithm
        return {"mean": pair[0], kind: pair[1]} if kind in (*LOGVARS, *LOGSTDS) else pair

    return call


def _word(name: str) -> str:
    words = [word for word in name.lower().split("_") if word and word not in _WORDS]
    return "_".join(words)


def _note(model: Any) -> str:  # noqa: ANN401
    """What a part of a model suggests and nobody can see from outside."""
    if not isinstance(model, nn.Module):
        return ""
    names = [name for name, _ in model.named_children()]
    if codes := [name for name in names if name in _CODES]:
        raise ValueError(
            f"posteriors must have a density, got {kind_of(model)} with a part {codes[0]}: entries "
            "of a codebook have none; model.encoder with second='z' is what comes before it"
        )
    if flows := [name for name in names if name in _FLOWS]:
        return (
            f"the model has a part {flows[0]}, and what encode returns is the posterior before it: "
            "if the decoder sees z after it, pass call=lambda x: ... that gives that z, with "
            "second='z'"
        )
    return ""
