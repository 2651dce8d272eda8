"""A user's own posterior, or bare latents, as an audit takes them from a file."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from vaelib.latent_files.latents import Latents
from vaelib.latent_files.read import read_latents

__all__ = ["Archive", "read_archive"]

_NAMED = 5  # conditions that an error names
_SLOW = 512  # dimensions


@dataclass(frozen=True)
class Archive:
    """What a file held.

    Attributes:
        train: mean and scale of the training inputs, each (N, D); None where only z was given.
        heldout: mean and scale of held-out inputs, where given.
        z: bare latents, shape (n, D), where only they were given.
        groups: labels of the held-out inputs, or where there are none of all, that are not
            independent of each other, shape (n,).
        conditions: labels of the training inputs, or of z, that the prior is conditioned on, (N,).
        heldout_conditions: those of the held-out inputs, shape (n,).
        places: lengths of the axes of a map whose positions are rows; none where inputs are.
        warnings: sentences that a person should read first.
        said: what of the file was read as what, where that was not by the suite's own names.
        read: the same, whatever the names.
        left_out: which inputs gave no numbers and are not here, in a sentence.
        rows: which rows of the file gave numbers, of the training inputs or z; None where all did.
        heldout_rows: the same of the held-out inputs.
    """

    train: tuple[Tensor, Tensor] | None
    heldout: tuple[Tensor, Tensor] | None = None
    z: Tensor | None = None
    groups: Tensor | None = None
    conditions: Tensor | None = None
    heldout_conditions: Tensor | None = None
    places: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()
    said: str = ""
    read: str = ""
    left_out: str = ""
    rows: Tensor | None = None
    heldout_rows: Tensor | None = None

    @property
    def labels(self) -> list[int]:
        """The conditions there are, ascending; none where the prior has no condition."""
        return [] if self.conditions is None else sorted(set(self.conditions.tolist()))

    @property
    def lost(self) -> int:
        """How many rows of the file gave no numbers."""
        parts = (self.rows, self.heldout_rows)
        return sum(int((~rows).sum()) for rows in parts if rows is not None)

    def of_condition(self, label: int) -> "Archive":
        """The inputs of one condition.

        Args:
            label: the condition.

        Returns:
            An archive without conditions; without held-out inputs where this condition has none.

        Raises:
            ValueError: for a condition that no input has.
        """
        if label not in self.labels:
            known = ", ".join(map(str, self.labels[:_NAMED])) or "none, as there is no `conditions`"
            raise ValueError(f"expected one of the conditions ({known}), got {label}")
        assert self.conditions is not None
        own = self.conditions == label
        held = None if self.heldout_conditions is None else self.heldout_conditions == label
        played = own if held is None else held
        heldout = None if self.heldout is None or held is None else _rows(self.heldout, held)
        if heldout is not None and not len(heldout[0]):
            heldout, played = None, own
        groups = self.groups if self.heldout is None or heldout is not None else None
        return Archive(
            None if self.train is None else _rows(self.train, own),
            heldout,
            None if self.z is None else self.z[own],
            None if groups is None else groups[played],
            places=self.places,
            said=self.said,
            read=self.read,
            left_out=self.left_out,
            rows=self.rows,
            heldout_rows=self.heldout_rows,
        )


def _rows(pair: tuple[Tensor, Tensor], rows: Tensor) -> tuple[Tensor, Tensor]:
    return pair[0][rows], pair[1][rows]


def read_archive(
    path: Path,
    most: int | None = None,
    *,
    mean: str | None = None,
    scale: str | None = None,
    scale_is: str | None = None,
    z: str | None = None,
) -> Archive:
    """Read posteriors or z, as :func:`vaelib.latent_files.read.read_latents` does.

    Beside either, ``groups`` labels inputs that are not independent, and ``conditions``, beside
    held-out inputs with ``heldout_conditions``, what the prior is conditioned on. Scales that are
    all 0 are a deterministic encoder's. Names, types and sizes are checked before any data is read.

    Args:
        path: the file; pickled objects in it are refused, never loaded.
        most: numbers that one array may hold.
        mean: key of the means, where names do not say it.
        scale: key of their spread.
        scale_is: what that is: std, var, logvar or logstd.
        z: key of bare latents.

    Returns:
        The posteriors or latents, float64.

    Raises:
        ValueError: for a file that holds no latents, is too large, or lacks what is needed.
    """
    found = read_latents(path, mean=mean, scale=scale, scale_is=scale_is, z=z, most=most)
    train = found.z if found.train is None else found.train[0]
    assert train is not None
    heldout = None if found.heldout is None else found.heldout[0]
    if heldout is not None and heldout.shape[1] != train.shape[1]:
        raise ValueError(
            f"expected held-out inputs of {train.shape[1]:,} dimensions like the others, got "
            f"{heldout.shape[1]:,}"
        )
    own = "mean" if found.z is None else "z"
    played, name = (train, own) if heldout is None else (heldout, "heldout_mean")
    _check_labels("groups", found.groups, played, name)
    _check_conditions(found.conditions, found.heldout_conditions, train, heldout)
    return Archive(
        found.train,
        found.heldout,
        found.z,
        found.groups,
        found.conditions,
        found.heldout_conditions,
        found.places,
        (*found.notes, *_swapped(found), *_slow(train.shape[1])),
        "" if found.plain else found.said,
        found.said,
        found.left_out,
        found.rows,
        found.heldout_rows,
    )


def _swapped(found: Latents) -> tuple[str, ...]:
    """Whether an array has more dimensions than inputs."""
    means = {"z": found.z, "mean": found.train and found.train[0]}
    means["heldout_mean"] = found.heldout and found.heldout[0]
    return tuple(
        f"{name} has shape {tuple(values.shape)}, fewer inputs than dimensions: are its axes "
        "swapped?"
        for name, values in means.items()
        if values is not None and values.shape[0] < values.shape[1]
    )


def _slow(most: int) -> tuple[str, ...]:
    """What an audit of many dimensions costs, said before."""
    if most < _SLOW:
        return ()
    return (
        f"D = {most:,}: time grows with D² and, where matrices are decomposed, D³, which takes "
        "minutes to hours; fewer dimensions, or fewer inputs, take less",
    )


def _check_labels(what: str, labels: Tensor | None, inputs: Tensor, name: str) -> None:
    if labels is not None and len(labels) != len(inputs):
        raise ValueError(
            f"{what} must hold one label for each of the {len(inputs):,} rows of {name}, got "
            f"{len(labels):,}"
        )


def _check_conditions(
    conditions: Tensor | None, of_heldout: Tensor | None, inputs: Tensor, heldout: Tensor | None
) -> None:
    """Labels of every input, or of none; a condition must have been trained on."""
    if (conditions is None) != (of_heldout is None) and heldout is not None:
        raise ValueError("expected both conditions and heldout_conditions, or neither, got one")
    if heldout is None and of_heldout is not None:
        raise ValueError("expected heldout_conditions beside heldout_mean alone, got no such mean")
    _check_labels("conditions", conditions, inputs, "the inputs")
    if conditions is None or of_heldout is None or heldout is None:
        return
    _check_labels("heldout_conditions", of_heldout, heldout, "heldout_mean")
    if new := sorted(set(of_heldout.tolist()) - set(conditions.tolist())):
        raise ValueError(
            f"expected training inputs of every condition, got none of {new[0]}; drop its held-out "
            "inputs"
        )
