"""Whether a configuration can be trained: its data are read and its model is built once.

What cannot be is named by the part of the configuration that it is about. Sizes are computed before
anything of that size is made.
"""

import json
import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import interrupts, raised
from bench.matrix.configurations import canonical
from bench.matrix.registry import component
from bench.run.models import build_objective, dataset_of
from bench.run.settings import LEAVES, REMEDY, changes, settings
from vaelib.datasets import Dataset
from vaelib.families import PointFamily
from vaelib.latent_files.entries import Refused
from vaelib.latent_files.npz import announced
from vaelib.models import VAE
from vaelib.samples.options import Quality
from vaelib.samples.quality import check
from vaelib.seeding import global_stream, stream

__all__ = ["LARGEST", "UnfitError", "fingerprint", "parameters"]

LARGEST = 2**28
"""Numbers of a data set or of a model, 1 GiB, that nobody asks for by mistake."""

_KNOWN = 4096  # configurations whose models need not be built a second time
_FEWEST = 10  # points: fewer leave a part of the split empty
_FIT: deque[Dataset] = deque(maxlen=4)  # that need not be looked at again
_NETWORKS = ("encoder", "prior", "decoder", "likelihood")
_MORE = "--yes takes on more"
_SAFE = 64  # weights for each pair of units, at most; to count them without memory takes seconds


class UnfitError(Exception):
    """A part of a configuration cannot be used; its cause is what was raised.

    Attributes:
        part: a key of a configuration.
        reason: why, in one sentence.
        foreign: whether code of a user's own raised it, or nobody knows why.
    """

    def __init__(self, part: str, reason: str, *, foreign: bool = False) -> None:
        super().__init__(reason)
        self.part = part
        self.reason = reason
        self.foreign = foreign


@contextmanager
def _part(part: str, values: Mapping[str, Any]) -> Iterator[None]:
    """Within the block errors are about one part of a configuration."""
    own, before = ":" in str(values[part].get("name", "")), settings()
    try:
        yield
        if own and (changed := changes(before)):
            raise UnfitError(part, f"expected a component that {LEAVES}, got {changed}; {REMEDY}")
    except BaseException as error:  # a component of a user's own raises anything
        if interrupts(error) or isinstance(error, UnfitError):
            raise
        if isinstance(error, ValueError | OSError) and not own:
            reason = str(error) if isinstance(error, ValueError) else raised(error)
            raise UnfitError(part, reason) from error
        raise UnfitError(part, f"cannot be used ({raised(error)})", foreign=True) from error


def fingerprint(table: str, *, large: bool = False) -> str:
    """The hash of a data set that can be trained on.

    Args:
        table: a ``dataset`` table as JSON.
        large: whether more than ``LARGEST`` numbers are meant.

    Returns:
        Its fingerprint.

    Raises:
        UnfitError: for a set that cannot be read, or has no points, or other than finite numbers.
    """
    values = {"dataset": json.loads(table)}
    with _part("dataset", values):
        _check_size(_numbers(values["dataset"]), large)
        data = dataset_of(values["dataset"])
        if not any(data is one for one in _FIT):
            for problem in _problems(data, large):
                raise UnfitError("dataset", problem)
            _FIT.append(data)
        return data.fingerprint


def parameters(text: str, *, large: bool = False) -> int:
    """Number of parameters of a configuration's model, which proves that it can be built.

    Args:
        text: the values of a configuration as JSON; those of ``training`` do not matter.
        large: whether a model of more than ``LARGEST`` numbers is meant.

    Returns:
        Their count.

    Raises:
        UnfitError: for parts that cannot be made, or do not fit each other or the data.
    """
    data = fingerprint(canonical(json.loads(text)["dataset"]), large=large)
    return _parameters(text, data, large)


@lru_cache(_KNOWN)
def _parameters(text: str, data_hash: str, large: bool) -> int:  # noqa: ARG001  # of its file
    values = json.loads(text)
    data = dataset_of(values["dataset"])
    with _part("quality", values):
        check(data, Quality(**values["quality"]))
    train = data.split(0).train
    for part in (*_NETWORKS, "objective"):
        _check_model(part, _least(values[part]), large)
    with _part("objective", values):
        objective = build_objective(values, len(train), 0)
        _require("objective", objective, nn.Module)
        points = objective.deterministic
    model = _built(values, data, points, large)
    with _part("objective", values):
        objective.check(model)
    _check_shapes(values, model, data.data_shape)
    with _part("prior", values):
        model.prepare(data.x[train], stream("preparation", 0))
        return sum(p.numel() for p in model.parameters())


def _numbers(table: Mapping[str, Any]) -> int:
    """How many numbers a data set holds, at least, as far as its options tell."""
    size: int = table.get("size") or 0
    if table["name"] == "gaussian_mixture":
        points: int = max(size, table.get("components", 0))
        return points * int(table.get("dimensions", 1))
    if table["name"] == "npz":
        try:
            return announced(Path(table["path"]), ("x", "y"))
        except Refused as error:
            raise ValueError(f"{table['path']}: {error}") from error
        except Exception:  # damaged: refused where it is read
            return 0
    return size * size if table["name"] == "images" else 0


def _least(table: Mapping[str, Any]) -> int:
    """How many weights there are at least between the hidden layers of a component."""
    hidden = table.get("hidden")
    if ":" in table["name"] or not isinstance(hidden, list):
        return 0
    between: int = sum(before * after for before, after in pairwise(hidden))
    return between * int(table.get("transforms", 1))


def _widest(value: object) -> int:
    """The largest whole number in options."""
    if isinstance(value, list):
        return max(map(_widest, value), default=0)
    return value if isinstance(value, int) else 0


def _check_size(numbers: int, large: bool) -> None:
    if numbers > LARGEST and not large:
        reason = f"expected at most {LARGEST:,} numbers, got {numbers:,}; {_MORE}"
        raise UnfitError("dataset", reason)


def _check_model(part: str, numbers: int, large: bool) -> None:
    if numbers > LARGEST and not large:
        reason = f"expected a model of at most {LARGEST:,} numbers, got {numbers:,}; {_MORE}"
        raise UnfitError(part, reason)


def _problems(data: Any, large: bool) -> Iterator[str]:  # noqa: ANN401
    """What is wrong with a data set; each is only asked where the ones before are right."""
    if not isinstance(data, Dataset):
        yield f"expected a vaelib.datasets.Dataset, got {type(data).__name__}"
    x, labels = data.x, data.labels
    if not isinstance(x, Tensor) or x.dtype != torch.float32 or x.device.type != "cpu":
        got = f"{x.dtype} on {x.device}" if isinstance(x, Tensor) else type(x).__name__
        yield f"expected x of float32 on the CPU, got {got}"
    if x.dim() < 2 or len(x) < _FEWEST or not x.numel() or x.layout != torch.strided:
        yield f"expected x of shape (n, ...) with at least {_FEWEST} points, got {tuple(x.shape)}"
    _check_size(x.numel(), large)
    if x.requires_grad:
        yield "expected plain numbers in x, got a tensor that requires gradients"
    if bad := int((~x.isfinite()).sum()):
        yield f"expected finite numbers in x, got {bad:,} of {x.numel():,} that are not"
    if labels is not None and not isinstance(labels, Tensor):
        yield f"expected labels in a tensor, got {type(labels).__name__}"
    if labels is not None and (labels.dtype != torch.int64 or labels.shape != (len(x),)):
        got = f"{labels.dtype} of shape {tuple(labels.shape)}"
        yield f"expected labels of int64 and shape ({len(x)},), got {got}"
    shares = data.fractions
    if len(shares) != 2 or not all(0 <= share <= 1 for share in shares) or sum(shares) > 1:
        yield f"expected fractions of two shares that sum to 1 at most, got {shares}"
    if not 0 <= data.official_test < len(x):
        yield f"expected official_test from 0 to {len(x) - 1}, got {data.official_test}"
    split = data.split(0)
    if empty := [part for part in ("train", "test") if not len(getattr(split, part))]:
        yield f"expected points in each part of the split, got none of {len(x)} in {empty[0]}"


def _built(values: Mapping[str, Any], data: Dataset, points: bool, large: bool) -> VAE:
    """The model of a configuration, as `bench.run.models.build_model` makes it."""
    own = any(":" in values[part]["name"] for part in _NETWORKS)
    widest = max((_widest(list(values[part].values())) for part in _NETWORKS), default=0)
    pixels = max(widest, values["latent_dim"], math.prod(data.data_shape))
    if widest * pixels * _SAFE > LARGEST and not own and not large:
        size = 0
        with suppress(Exception), torch.device("meta"):  # what does not count is built and seen
            counted = _assembled(values, data.data_shape, points)
            size = sum(tensor.numel() for tensor in counted.state_dict().values())
        if size > LARGEST:
            sizes = {
                part: sum(tensor.numel() for tensor in getattr(counted, part).parameters())
                for part in _NETWORKS
            }
            _check_model(max(sizes, key=lambda part: sizes[part]), size, large)
    with global_stream("initialisation", 0):
        return _assembled(values, data.data_shape, points)


def _assembled(values: Mapping[str, Any], data_shape: Sequence[int], points: bool) -> VAE:
    size = values["latent_dim"]
    supplied: dict[str, tuple[object, ...]] = {
        "encoder": (data_shape, 2 * size),
        "prior": (size,),
        "decoder": (size, data_shape),
        "likelihood": (data_shape,),
    }
    parts: dict[str, Any] = {}
    for part in _NETWORKS:
        with _part(part, values):
            options = {key: value for key, value in values[part].items() if key != "name"}
            parts[part] = component(part, values[part]["name"])(*supplied[part], **options)
            _require(part, parts[part], nn.Module)
    with _part("likelihood", values):
        _ = parts["likelihood"].data_shape
    with _part("prior", values):
        family = PointFamily() if points else None
        encoder, prior, decoder, likelihood = (parts[part] for part in _NETWORKS)
        return VAE(encoder, prior, decoder, likelihood, family)


def _require(part: str, made: object, kind: type) -> None:
    if not isinstance(made, kind):
        wanted = f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
        raise UnfitError(part, f"expected it to give a {wanted}, got {type(made).__name__}")


@torch.no_grad()
def _check_shapes(values: Mapping[str, Any], model: VAE, data_shape: tuple[int, ...]) -> None:
    """Raises an UnfitError where the networks do not fit the data."""
    x, z = torch.zeros(2, *data_shape), torch.zeros(2, model.latent_dim)
    with _part("encoder", values):
        _require("encoder", model.encoder(x), Tensor)
    with _part("prior", values):
        got = tuple(model.encode(x)[0].shape[1:])
    if got != (model.latent_dim,):
        wanted = (model.latent_dim,)
        raise UnfitError("encoder", f"the encoder must return a mean of shape {wanted}, got {got}")
    with _part("decoder", values):
        _require("decoder", model.decoder(z), Tensor)
    with _part("likelihood", values):
        got = tuple(model.decode(z).shape[1:])
    if got != data_shape:
        reason = f"the decoder must return data of shape {data_shape}, got {got}"
        raise UnfitError("decoder", reason)
