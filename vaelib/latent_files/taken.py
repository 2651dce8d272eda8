"""Which arrays of a file are posteriors or z, and what was made of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vaelib.arguments.layouts import Layout
from vaelib.latent_files.asked import BOTH, SPELLED, get, in_range, listed, question, some
from vaelib.latent_files.entries import Entry, Refused, short
from vaelib.latent_files.latents import Latents, filled
from vaelib.latent_files.names import KINDS, LABELS, USUAL, Role, roles
from vaelib.latent_files.parts import Part, bare, halves, posterior
from vaelib.latent_files.values import as_labels

__all__ = ["Keys", "latents_of"]

_SPREADS = (*KINDS, "full", "factor")
_HELD = ("heldout_", "test_", "val_")
_SHOWN = ("x_umap", "x_tsne", "x_pca", "x_diffmap", "x_draw_graph", "spatial", "layers/")
"""How keys of .h5ad begin that are no model's."""


@dataclass(frozen=True)
class Keys:
    """What a user says, where names do not; as of :func:`vaelib.latent_files.read.read_latents`."""

    mean: str | None = None
    scale: str | None = None
    scale_is: str | None = None
    z: str | None = None


def latents_of(entries: Sequence[Entry], keys: Keys) -> Latents:
    """Choose among the arrays of a file, and bring them to rows.

    Args:
        entries: of the file.
        keys: what a user says.

    Returns:
        Posteriors, or z.

    Raises:
        Refused: where names do not say what is what, or the arrays do not fit.
    """
    named = {entry.name: entry for entry in entries}
    parts = _chosen(named, keys)
    labels = {name: as_labels(name, named[name].read()) for name in LABELS if name in named}
    used = {*labels, *(name for part in parts for name in part.used)}
    others = tuple(short(name) for name in named if name not in used)
    said = "read: " + "; held out: ".join(part.said for part in parts)
    if others:
        said += f"; also there: {some(others)}"
    usual = keys == Keys() and not others and used <= USUAL
    found = Latents(
        groups=labels.get("groups"),
        conditions=labels.get("conditions"),
        heldout_conditions=labels.get("heldout_conditions"),
        said=said,
        plain=usual and all(part.plain for part in parts),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        others=others,
    )
    if len(parts) == 1 and len(parts[0].values) > 1:
        found = replace(found, notes=(*found.notes, *_unused(named, others)))
    found = _repeated(found, parts[0].layout, parts[-1].layout)
    return filled(found, parts)


def _unused(named: dict[str, Entry], others: Sequence[str]) -> Iterator[str]:
    """That z of held-out inputs beside posteriors of training inputs are not looked at."""
    for name, role in roles(named.values()).items():
        if role.part and role.kind in ("z", "points") and short(name) in others:
            yield (
                f"{short(name)} is taken for z of held-out inputs and not used, as there is no "
                "scale of theirs: save heldout_mean and heldout_scale"
            )


def _repeated(found: Latents, first: Layout, last: Layout) -> Latents:
    """With labels for each position of an input, and its positions as one group."""

    def each(labels: Tensor | None, layout: Layout) -> Tensor | None:
        if labels is None or len(labels) != layout.inputs:
            return labels
        return labels.repeat_interleave(layout.positions)

    groups = found.groups
    if groups is None and last.positions > 1 and last.inputs > 1:
        groups = torch.arange(last.inputs)
    return replace(
        found,
        places=last.places if first.places == last.places else (),
        groups=each(groups, last),
        conditions=each(found.conditions, first),
        heldout_conditions=each(found.heldout_conditions, last),
    )


def _chosen(named: dict[str, Entry], keys: Keys) -> list[Part]:
    """The part of the training inputs, or z, and that of the held-out ones."""
    if keys.z is not None:
        beside = [named[of + keys.z] for of in _HELD if of + keys.z in named]
        return [bare(get(named, keys.z, "z")), *map(bare, beside[:1])]
    if keys.mean is not None or keys.scale is not None:
        return _mapped(named, keys)
    found = roles(named.values())
    words = list(dict.fromkeys(("", *(role.part for role in found.values()))))
    pairs = {word: _pair(found, named, word) for word in words}
    own = pairs[""]
    held = [word for word in words[1:] if "mean" in pairs[word] or _spreads(pairs[word])]
    if "mean" in own or _spreads(own):
        parts = [_posterior(own, "", keys, named)]
        return parts + [_posterior(pairs[word], word, keys, named) for word in held[:1]]
    if held:
        raise Refused(
            f"expected mean and scale or logvar of the training inputs, or z alone, got "
            f"{listed(named.values())}; say --mean KEY --scale KEY if these are all there are"
        )
    held_z = [pairs[word]["z"] for word in words[1:] if "z" in pairs[word]]
    return [_alone(named, pairs, keys), *(map(bare, held_z[:1]) if "z" in own else ())]


def _pair(found: dict[str, Role], named: dict[str, Entry], word: str) -> dict[str, Entry]:
    """Kind -> array, of one part of the inputs."""
    pair = {role.kind: named[name] for name, role in found.items() if role.part == word}
    if "points" in pair:  # the means of a spread, or z
        points = pair.pop("points")
        pair.setdefault("mean" if _spreads(pair) and "mean" not in pair else "z", points)
    mean = pair.get("mean")
    if "z" in pair and mean is not None and len(mean.shape) < 2 and not mean.column:
        return {"z": pair["z"]}  # what data were normalised by
    return pair


def _spreads(pair: dict[str, Entry]) -> dict[str, Entry]:
    return {kind: pair[kind] for kind in _SPREADS if kind in pair}


def _posterior(pair: dict[str, Entry], word: str, keys: Keys, named: dict[str, Entry]) -> Part:
    """Mean and scale of one part, of which names say which they are."""
    of = f"{word}_" if word else ""
    spreads, every = _spreads(pair), listed(named.values())
    if "mean" not in pair:
        instead = "" if word else ", or z alone"
        raise Refused(
            f"expected {of}mean and {of}scale or {of}logvar{instead}, got {every}; say which is "
            "the mean: --mean KEY"
        )
    mean = pair["mean"]
    if not spreads and "z" in pair and not word:
        raise Refused(
            f"expected z alone, or posteriors without it, got z and {short(mean.name)}: {every}; "
            f"say --z {short(pair['z'].name)}, or which is the scale: {SPELLED}"
        )
    if not spreads and keys.scale_is is not None:
        mean, spread = halves(mean)
        return posterior(mean, {keys.scale_is: spread})
    if not spreads:
        name = short(mean.name)
        raise Refused(
            f"expected one of {of}scale and {of}logvar, got 0: {every}; a mean is no draw of z: "
            f"say --scale KEY --scale-is std|var|logvar|logstd, or --z {name} if these are draws"
        )
    if keys.scale_is is not None:
        if len(spreads) > 1:
            raise Refused(
                f"expected one spread that is {keys.scale_is}, got {listed(spreads.values())}; "
                "say which: --scale KEY"
            )
        spreads = {keys.scale_is: next(iter(spreads.values()))}
    return posterior(mean, spreads)


def _mapped(named: dict[str, Entry], keys: Keys) -> list[Part]:
    """As a user says it, and of held-out inputs under the same keys after a prefix."""
    found = {name: role for name, role in _roles_of_each(named).items() if not role.part}
    key = keys.mean
    if key is None:
        means = [name for name, role in found.items() if role.kind in ("mean", "points")]
        if len(means) != 1:
            raise Refused(
                f"expected a mean beside --scale {short(keys.scale)}, got "
                f"{listed(named.values())}; say --mean KEY"
            )
        key = means[0]
    mean = get(named, key, "--mean")
    if keys.scale is None and keys.scale_is is None:
        spreads = {role.kind: named[n] for n, role in found.items() if role.kind in _SPREADS}
        return [_posterior({"mean": mean} | spreads, "", keys, named)]
    scale = keys.scale
    if scale is None:
        mine = [n for n, role in found.items() if role.kind in _SPREADS and n != key]
        scale = mine[0] if len(mine) == 1 else key
    kind = keys.scale_is
    if kind is None and scale != key:
        role = found.get(scale)
        kind = role.kind if role is not None and role.kind in _SPREADS else None
    if kind is None:
        raise Refused(
            f"expected to know what {short(scale)} is, {in_range(get(named, scale, '--scale'))}; "
            "say --scale-is std, var, logvar or logstd"
        )
    parts: list[Part] = []
    for of in ("", *_HELD):
        if len(parts) < 2 and (not of or (of + key in named and of + scale in named)):
            mean, spread = get(named, of + key, "--mean"), get(named, of + scale, "--scale")
            if scale == key:
                mean, spread = halves(mean)
            parts.append(posterior(mean, {kind: spread}))
    return parts


def _roles_of_each(named: dict[str, Entry]) -> dict[str, Role]:
    """Roles of arrays by themselves, several of one kind too."""
    return {name: role for entry in named.values() for name, role in roles([entry]).items()}


def _alone(named: dict[str, Entry], pairs: dict[str, dict[str, Entry]], keys: Keys) -> Part:
    """Bare latents, of which a name says that they are z, or which are alone."""
    if keys.scale_is is not None:
        raise Refused(
            f"expected a mean and a spread that is {keys.scale_is}, got "
            f"{listed(named.values())}; say --mean KEY --scale KEY"
        )
    called = [pair["z"] for pair in pairs.values() if "z" in pair]
    each = _roles_of_each(named).items()
    alike = [named[name] for name, role in each if role.kind in ("z", "points") and not role.part]
    if len(alike) > 1 and called[0].name != "z":
        raise Refused(
            f"expected one array of z, got {listed(alike)}; say which: --z {short(alike[0].name)}"
        )
    if called:
        return bare(called[0])
    numbers = [one for one in named.values() if one.numbers and one.name not in LABELS]
    wide = [one for one in numbers if len(one.shape) > 1]
    if any(one.name.endswith((".weight", "/weight")) or one.name == "weight" for one in wide):
        raise Refused(
            f"expected mean and scale or logvar, or z alone, got {listed(named.values())}, which "
            "are a model's own; save what its encoder returns, as vaelib.encode gives it"
        )
    wide = [one for one in wide if not one.name.lower().startswith(_SHOWN)]
    if len(wide) == 1 or (not wide and len(numbers) == 1):
        one = (wide or numbers)[0]
        if one.name in BOTH or (len(one.shape) == 3 and one.shape[0] == 2):
            raise Refused(
                f"expected z, got {one}, which may hold means and a spread in its halves; say "
                f"--mean {short(one.name)} --scale-is logvar if it does, else --z {short(one.name)}"
            )
        return bare(one)
    raise Refused(question(named, wide, numbers))
