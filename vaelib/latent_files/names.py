"""What arrays are, by the names that people give them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from vaelib.latent_files.entries import Entry, Refused, short

__all__ = ["KINDS", "LABELS", "USUAL", "Role", "roles"]

LABELS = ("groups", "conditions", "heldout_conditions")

USUAL = frozenset(
    (*LABELS, "z", "mean", "scale", "logvar", "heldout_mean", "heldout_scale", "heldout_logvar")
)
"""The suite's own names, which must hold numbers."""

KINDS = ("std", "var", "logvar", "logstd")
"""What the spread of a posterior may be given as."""

_WORDS = {
    "mean": "mean means mu mus loc locs qzm qm",
    "points": "embedding embeddings",  # a mean beside a spread, z alone
    "std": "scale scales std stds stddev stddevs stdev sd sigma sigmas standarddeviation",
    "var": "var vars variance variances sigma2 sigmasq sigmasquared qzv qv",
    "logvar": "logvar logvars logvariance logvariances logcovariance logsigma2 logsigmasq lnvar",
    "logstd": "logstd logstds logscale logscales logsigma logsigmas logstddev logsd lnstd lnsigma",
    "full": "cov covariance covariances covs",
    "factor": "scaletril cholesky",
    "z": "z zs latent latents sample samples",
}
_KIND = {word: kind for kind, words in _WORDS.items() for word in words.split()}
_AROUND = frozenset(
    "z zs q qz qzx x latent latents posterior post enc encoder encoded scvi".split()
)
_TRAIN = frozenset(("train", "training"))
_HELD = ("heldout", "test", "val", "valid", "validation", "eval")
_APART = re.compile(r"held[\W_]?out", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Z]?[a-z]+\d*|[A-Z]+(?![a-z])\d*|\d+")


@dataclass(frozen=True)
class Role:
    """What an array is.

    Attributes:
        kind: mean, points, z, full, factor, or one of ``KINDS``.
        part: of which inputs: empty for those that were trained on, or a word such as test.
    """

    kind: str
    part: str


def roles(entries: Iterable[Entry]) -> dict[str, Role]:
    """What arrays are, of those whose names say it.

    Args:
        entries: of a file.

    Returns:
        Name -> role; of several of z, the first, or the one of that name.

    Raises:
        Refused: for two arrays of one role.
    """
    found: dict[str, Role] = {}
    for entry in entries:
        role = _role(entry.name) if entry.numbers or entry.name in USUAL else None
        if role is None:
            continue
        twin = next((name for name, other in found.items() if other == role), None)
        if twin is not None and role.kind != "z":  # draws may be several beside posteriors
            option = "--mean" if role.kind in ("mean", "points") else "--scale"
            raise Refused(
                f"expected one {role.kind}, got {short(twin)} and {short(entry.name)}; say which: "
                f"{option} {short(twin)}"
            )
        if twin is None or entry.name == role.kind:
            found.pop(twin or "", None)
            found[entry.name] = role
    return found


def _role(name: str) -> Role | None:
    if name in LABELS or len(name) > 200:
        return None
    tokens = [one.lower() for one in _TOKEN.findall(_APART.sub("heldout", name))]
    part = next((word for word in _HELD if word in tokens), "")
    rest = [one for one in tokens if one not in _HELD and one not in _TRAIN]
    inner = [one for one in rest if one not in _AROUND]
    for words in (rest, inner):
        if words and (kind := _KIND.get("".join(words))):
            return Role(kind, part)
    latent = not inner and any(_KIND.get(one) == "z" for one in rest)
    return Role("z", part) if latent else None
