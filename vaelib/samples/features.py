"""Features of images, in which generated and real ones are compared.

Three small classifiers, trained on the data set's own labels, give their last hidden layers: what
tells the classes apart matters, other noise does not, and the variation between the nets can be
seen. Principal components need no labels and no training and give a second opinion; pretrained
networks are an extra for those who can download them.

Whatever is fitted here is fitted on training images alone.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vaelib.code_hash import code_hash
from vaelib.models import BATCH
from vaelib.networks import MLPEncoder
from vaelib.numerics.matmul import float32_products
from vaelib.numerics.subnormals import subnormals_flushed
from vaelib.sealed import keep, recall
from vaelib.seeding import global_stream, stream

__all__ = ["FEATURES", "ClassifierFeatures", "Features", "PCAFeatures", "PretrainedFeatures"]

_OPTIONS: dict[str, Any] = {
    "hidden": [128, 32],
    "steps": 400,
    "batch": 128,
    "rate": 2e-3,
    "nets": 3,
    "version": 1,
}
_COMPONENTS = 32
_PRETRAINED = 64  # principal components that are kept of a pretrained network's features


class Features:
    """Base: images of one shape in, features of T nets out.

    Args:
        images: Training images, shape (N, *data_shape).
    """

    def __init__(self, images: Tensor) -> None:
        self.data_shape = tuple(images.shape[1:])

    def __call__(self, images: Tensor) -> Tensor:
        """Features of shape (T, n, d), float64, where the images are.

        Args:
            images: Shape (n, *data_shape).

        Returns:
            The features.

        Raises:
            ValueError: For images of another shape.
        """
        if tuple(images.shape[1:]) != self.data_shape:
            raise ValueError(
                f"images must have shape (n, {', '.join(map(str, self.data_shape))}) like those "
                f"that the features were made for, got {tuple(images.shape)}"
            )
        return torch.cat([self._of(part).double() for part in torch.split(images, BATCH)], 1)

    def _of(self, images: Tensor) -> Tensor:
        raise NotImplementedError


class PCAFeatures(Features):
    """The first principal components of the training images, of which T = 1.

    Args:
        images: Training images, shape (N, *data_shape).
        components: At most so many.
    """

    def __init__(self, images: Tensor, components: int = _COMPONENTS) -> None:
        super().__init__(images)
        batches = torch.split(images.flatten(1), BATCH)
        total = torch.stack([batch.sum(0, dtype=torch.float64) for batch in batches]).sum(0)
        self.centre = total / len(images)
        products = torch.zeros(2 * total.shape, dtype=torch.float64, device=images.device)
        for batch in batches:
            offset = batch.double() - self.centre
            products.addmm_(offset.T, offset)
        values, vectors = torch.linalg.eigh(products / len(images))
        kept = min(components, int((values > 1e-10 * values[-1]).sum()), len(images) - 1)
        self.directions = vectors.flip(1)[:, : max(kept, 1)]

    def _of(self, images: Tensor) -> Tensor:
        offset = images.flatten(1).double() - self.centre
        projected: Tensor = offset @ self.directions
        return projected.unsqueeze(0)


class ClassifierFeatures(Features):
    """The last hidden layers of three small classifiers, T = 3.

    They train together, each from streams of its own that depend on nothing but its number, so
    that the same images give the same nets; with a folder they are trained once.

    Args:
        images: Training images, shape (N, *data_shape).
        labels: Their classes, shape (N,).
        folder: Where to keep the nets, in files named by a hash of the images, the labels, the
            options and the code; None does not keep them.
        keeps: Whether nets that are trained here are kept there; else it is only read.

    Raises:
        ValueError: Without labels, or for labels of one class.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor | None,
        folder: Path | None = None,
        keeps: bool = True,
    ) -> None:
        super().__init__(images)
        if labels is None:
            raise ValueError('classifier features need labels, got none; use features = "pca"')
        if int(labels.min()) == int(labels.max()):
            raise ValueError('classifier features need two classes or more; use features = "pca"')
        self.net = MLPEncoder(self.data_shape, int(labels.max()) + 1, hidden=_OPTIONS["hidden"])
        state, path, identity = None, None, {}
        if folder is not None:
            digest = _digest(images, labels)
            identity = {"nets": digest, "code": code_hash(__name__)}
            path = folder / f"features-{digest[:16]}.npz"
            kept = recall(path, identity)
            state = None if kept is None else _state(kept, self.net)
        self.state = _trained(self.net, images, labels) if state is None else state
        if path is not None and keeps and state is None:
            keep(path, {name: value.numpy() for name, value in self.state.items()}, identity)
        self.state = {name: value.to(images.device) for name, value in self.state.items()}

    @torch.no_grad()
    def _of(self, images: Tensor) -> Tensor:
        last = len(_OPTIONS["hidden"]) - 1
        hidden = images.flatten(1).expand(_OPTIONS["nets"], len(images), -1)
        for layer in range(last + 1):
            weight, bias = (self.state[f"layers.{2 * layer}.{part}"] for part in ("weight", "bias"))
            hidden = torch.baddbmm(bias.unsqueeze(1), hidden, weight.mT).relu()
        return hidden


def _digest(images: Tensor, labels: Tensor) -> str:
    head = [code_hash(__name__), _OPTIONS, images.shape, images.device.type]
    digest = hashlib.sha256(json.dumps(head).encode())
    digest.update(images.cpu().numpy().tobytes())
    digest.update(labels.cpu().numpy().tobytes())
    return digest.hexdigest()


@subnormals_flushed()
@float32_products()
def _trained(net: MLPEncoder, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Parameters of the trained nets, each with a leading axis of T."""
    nets, device = [], images.device
    for number in range(_OPTIONS["nets"]):
        with global_stream("feature net", number):
            for module in net.modules():
                if isinstance(module, torch.nn.Linear):
                    module.reset_parameters()
        nets.append({name: p.detach().clone() for name, p in net.named_parameters()})
    state = {
        name: torch.stack([own[name] for own in nets]).to(device).requires_grad_()
        for name in nets[0]
    }
    generators = [stream("feature batches", number) for number in range(len(nets))]
    optimizer = torch.optim.Adam(state.values(), lr=_OPTIONS["rate"], fused=True)
    size, labels = min(_OPTIONS["batch"], len(images)), labels.to(device)
    for _ in range(_OPTIONS["steps"]):
        chosen = torch.stack([torch.randint(len(images), (size,), generator=g) for g in generators])
        batch = images[chosen.to(device)]
        scores = torch.func.functional_call(net, state, (batch,))
        loss = F.cross_entropy(scores.flatten(0, 1), labels[chosen.to(device)].flatten())
        optimizer.zero_grad()
        torch.autograd.backward(loss * len(nets))
        optimizer.step()
    return {name: value.detach().cpu() for name, value in state.items()}


def _state(kept: Mapping[str, np.ndarray], net: MLPEncoder) -> dict[str, Tensor] | None:
    """Parameters as a file keeps them; None where they are not those of the nets."""
    wanted = {name: (_OPTIONS["nets"], *p.shape) for name, p in net.named_parameters()}
    if {name: value.shape for name, value in kept.items()} != wanted:
        return None
    return {name: torch.from_numpy(value) for name, value in kept.items()}


class PretrainedFeatures(Features):
    """The Inception network that the field's Fréchet distance is made with, T = 1.

    Of its 2,048 features the first 64 principal components of 2,000 training images are kept: few
    enough for the covariance of a few hundred images.

    Args:
        images: Training images, shape (N, channels, height, width), one or three channels, values
            in [0, 1].

    Raises:
        ValueError: For data that are no images, or where the network cannot be had.
    """

    def __init__(self, images: Tensor) -> None:
        super().__init__(images)
        if len(self.data_shape) != 3 or self.data_shape[0] not in (1, 3):
            raise ValueError(
                "pretrained features need images of shape (1 or 3, height, width), "
                f"got {self.data_shape}"
            )
        self.network = _inception().to(images.device)
        self.components = PCAFeatures(self._raw(images[:2000]), _PRETRAINED)

    @torch.no_grad()
    def _raw(self, images: Tensor) -> Tensor:
        activations = []
        for at in range(0, len(images), 64):
            batch = (images[at : at + 64].clamp(0, 1) * 255).round().to(torch.uint8)
            activations.append(self.network(batch.expand(-1, 3, -1, -1))[0])
        return torch.cat(activations)

    def _of(self, images: Tensor) -> Tensor:
        return self.components(self._raw(images))


def _inception() -> torch.nn.Module:
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        network: torch.nn.Module = FeatureExtractorInceptionV3("inception", ["2048"])
    except ImportError:
        raise ValueError(
            "pretrained features need torch-fidelity, which is not installed; install "
            'the extra pretrained or use features = "classifier"'
        ) from None
    except (OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"the weights of the pretrained network cannot be had ({reason}); put them in "
            f'{Path(torch.hub.get_dir()) / "checkpoints"} or use features = "classifier"'
        ) from None
    return network


FEATURES: dict[str, Callable[[Tensor, Tensor | None, Path | None, bool], Features]] = {
    "classifier": ClassifierFeatures,
    "pca": lambda images, labels, folder, keeps: PCAFeatures(images),
    "pretrained": lambda images, labels, folder, keeps: PretrainedFeatures(images),
}
