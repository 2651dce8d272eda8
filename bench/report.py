"""Markdown pages: the same rows give the same bytes."""

import io
import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.analysis import (
    FEW_SEEDS,
    TOO_FEW,
    failures,
    ranking,
    read_rows,
    replicates,
    saturated,
    summarise,
    varied_keys,
)
from bench.figures import kl_parts, latent_quilt, levels, metric_panels, save
from bench.metrics import METRICS, metric_named
from bench.rows import write_rows
from bench.store import write_atomically
from bench.tables import (
    code,
    glossary,
    heading,
    markdown,
    measured,
    metric_column,
    quantity,
    rank_text,
    rankings,
)

__all__ = ["answer", "page", "write_index", "write_pages"]

_SPLITS = ("test", "train")
_KL, _SAMPLES = "Where the KL comes from", "Samples by latent source"
_TABLES = {
    _KL: (
        "rate mutual_information marginal_kl_floor marginal_kl marginal_kl_null marginal_kl_excess "
        "marginal_kl_null_test marginal_kl_loo saturated"
    ),
    "Likelihood": "elbo reconstruction iwae bound_gap",
    _SAMPLES: "frechet image_mmd coverage density recall image_auc authenticity",
    "Dimensions, moments and shape": (
        "kl_per_dimension total_correlation moment_kl negentropy second_moment excess_kurtosis "
        "active_units variance_law"
    ),
    "Distance between z of q and z of the prior": "mmd_squared hole_mass c2st_auc",
    "Tests of q = p": (
        "mmd_test energy_test ksd_test likelihood_ratio_test henze_zirkler_test mardia_test "
        "ks_test c2st_test"
    ),
}
_FOLDED = list(_TABLES)[3:]
_HEADLINES = [
    ("marginal_kl_excess", ""),
    ("c2st_auc", ""),
    ("hole_mass", ""),
    ("elbo", ""),
    ("frechet", "prior"),
]
_PANELS = "marginal_kl_excess rate elbo c2st_auc hole_mass mmd_squared kl_per_dimension".split()
_DAGGER = (
    "† saturated on at least one seed (R > log N - 1): the joint KL is bounded below by the floor "
    "R - log N whatever the encoder does. [Bracketed] numbers are not comparable and not ranked; "
    "decide from the distances and tests on held-out z, or encode more inputs."
)
_QUILT = (
    "Left: one z of each input's posterior, coloured and named by label. Middle: as many z of the "
    "prior. Right: log-density of the aggregate posterior less that of the prior, red where q is "
    "denser, blue where the prior samples and q does not (colours end at ± 3 nats). The circles "
    "hold 50 % and 95 % of the prior."
)
_HOW_TO_READ = f"""## How to read this

* **Value ± half width**: mean over S training seeds and its 95 % Student t interval. Cells without
  a result are in no mean. ↓ lower is better, ↑ higher is better, no arrow: not to be compared.
* **test**, **train**: whose inputs were encoded. The model was fitted to those of train.
* **KL(q_N‖p)** goes from the aggregate posterior of N inputs, q_N(z) = 1/N ∑ q(z|x_n), to the
  prior. It is R - I, rate less mutual information, and since I ≤ log N never below the **floor**
  R - log N: a larger raw KL may only mean a larger rate.
* **Null KL**: the same for encoders that do match, with the same N, D and scales. **Excess KL**,
  the KL less its null, is what is left to explain: 0 where q(z) is the prior. **Exact null**
  counts the seeds whose KL lies above the simulated null at level .05: one in twenty if q matches.
* **Saturated** (†): R > log N - 1. So few inputs cannot resolve the joint KL.
* **Rank**: the ranks that the seeds allow, from 1 + the number of configurations significantly
  better to K - the number significantly worse: paired t tests of all pairs on common seeds with
  Holm's correction, so that all intervals of one column hold together with 95 % confidence.
* **Tie group** (bold): nobody in the same split and source is significantly better. Nothing is
  bold where all are tied. At S ≤ {FEW_SEEDS} all are: {TOO_FEW}.
* A configuration **matches** when its 95 % interval of the excess lies below the margin, does not
  when it lies above, and is undecided in between or at S ≤ {FEW_SEEDS}.
* **Gap**: paired difference to the best mean, with the 95 % t interval of that pair alone.
  **Beats best**: share of common seeds on which it does better.
* Likelihoods compare only under the same likelihood and data.
"""


def write_pages(
    results: Path,
    matrix: str,
    comment: str = "",
    frame: pd.DataFrame | None = None,
    arrays: Mapping[str, npt.ArrayLike] | None = None,
) -> Path:
    """Write the leaderboard of one matrix, its figures and the index.

    The pages come from ``rows.csv`` and ``arrays.npz`` alone: without new rows and arrays they are
    rebuilt from the files, byte for byte.

    Args:
        results: Folder of all results.
        matrix: Name of the matrix.
        comment: Its question, cost and last result, quoted at the head of the page.
        frame: New tidy rows, or None to keep the file.
        arrays: New arrays of two-dimensional posteriors, or None to keep the file:
            ``"<name>/mean"`` and ``"<name>/scale"``, shape (N, 2), and optionally
            ``"<name>/labels"``, shape (N,). The name says whose they are and becomes part of a
            file's: ``"base-test-seed-0"``.

    Returns:
        Path of the page.
    """
    folder = results / matrix
    if frame is not None:
        write_rows(folder / "rows.csv", frame)
    if arrays is not None:
        buffer = io.BytesIO()
        kept = {name: np.asarray(arrays[name]) for name in sorted(arrays)}
        np.savez_compressed(buffer, allow_pickle=False, **kept)
        write_atomically(folder / "arrays.npz", buffer.getvalue())
    path = results / f"{matrix}.md"
    write_atomically(path, page(folder, comment).encode())
    write_index(results)
    return path


def write_index(results: Path) -> Path:
    """Write ``README.md``: the answer of every matrix that has rows.

    Args:
        results: Folder of all results.

    Returns:
        Path of the index.
    """
    body, names = [], []
    for path in sorted(results.glob("*/rows.csv")):
        rows, name = read_rows(path), path.parent.name
        names.append(name)
        counts = [rows["config"].nunique(), rows["seed"].nunique(), len(failures(rows))]
        body.append([f"[{name}]({name}.md)", answer(rows), *counts])
    heads = ["matrix", "answer", "configurations", "seeds", "failed cells"]
    parts = ["# Results", "Does the aggregate posterior match its prior?"]
    parts.append(markdown(heads, body, left=2) if body else "No matrix has rows yet.")
    others = sorted({page.stem for page in results.glob("*.md")} - {"README", *names})
    if others:
        parts.append("Other pages: " + ", ".join(f"[{name}]({name}.md)" for name in others) + ".")
    path = results / "README.md"
    write_atomically(path, ("\n\n".join(parts) + "\n").encode())
    return path


def page(folder: Path, comment: str = "") -> str:
    """Compose the page of one matrix and draw its figures.

    Args:
        folder: Holds ``rows.csv``, and ``arrays.npz`` if there are latent pictures; figures go to
            its ``figures``. The page is meant to stand beside this folder.
        comment: Quoted at the head.

    Returns:
        Markdown.
    """
    rows, name = read_rows(folder / "rows.csv"), folder.name
    parts = [f"# {name}"]
    if comment.strip():
        parts.append("\n".join(f"> {line}".rstrip() for line in comment.strip().splitlines()))
    parts += [f"**{answer(rows)}**", *_failures(rows), "## Leaderboard", *_leaderboard(rows)]
    studies = rows["study"].map(lambda text: text.split("; "))
    for study in dict.fromkeys(study for found in studies for study in found if study):
        parts += _study(rows[[study in found for found in studies]], study, folder)
    if len(rows) and not rows["study"].any():
        parts += _study(rows, "all configurations", folder)
    parts += [*_quilts(folder), _HOW_TO_READ.strip()]
    if there := measured(rows):
        parts += ["### The columns", glossary(metric for metric, *_ in there)]
    counts = f"{rows['config'].nunique()} configurations, {_cells(rows)} cells"
    parts.append(f"Made from [{name}/rows.csv]({name}/rows.csv): {counts}.")
    return "\n\n".join(parts) + "\n"


def answer(rows: pd.DataFrame) -> str:
    """Say in one or two sentences what the rows decide.

    Args:
        rows: Tidy rows of one matrix.

    Returns:
        Plain text with Markdown code spans.
    """
    texts = [_answer(part, str(data)) for data, part in rows.groupby("dataset", sort=False)]
    if lost := len(failures(rows)):
        texts.append(f"{lost} of {_cells(rows)} cells gave no result.")
    return " ".join(texts) or "No cell was run."


def _answer(rows: pd.DataFrame, data: str) -> str:
    metric, there = METRICS["marginal_kl_excess"], measured(rows)
    split = next((name for name in _SPLITS if (metric.name, name, "") in there), None)
    if split is None or metric.margin is None:
        return f"On {data} no cell has an excess KL, so the match is undecided."
    total = int(replicates(rows, metric.name, split).notna().any().sum())
    board = ranking(rows, metric.name, split)
    if board.empty:
        return f"On {split} inputs of {data} all {total} configurations are saturated: no verdict."
    best, tied, flagged = board.iloc[0], int(board["tie"].sum()) - 1, total - len(board)
    enough = board["S"] > FEW_SEEDS
    match = int((enough & (board["mean"] + board["half_width"] < metric.margin)).sum())
    differ = int((enough & (board["mean"] - board["half_width"] > metric.margin)).sum())
    text = (
        f"Within {metric.margin:g} nats of excess KL on {split} inputs of {data}, {match} of "
        f"{len(board)} configurations match the prior, {differ} do not, "
        f"{len(board) - match - differ} are undecided; the closest, `{board.index[0]}`, is at "
        f"{quantity(best['mean'], best['half_width'])} nats (S = {best['S']})"
    )
    text += f", tied with {tied} more" if tied else ""
    text += f": {best['note']}" if best["note"] else ""
    return text + (f"; {flagged} more cannot be ranked, being saturated." if flagged else ".")


def _cells(rows: pd.DataFrame) -> int:
    return len(rows.drop_duplicates(["config", "seed"]))


def _failures(rows: pd.DataFrame) -> list[str]:
    lost = failures(rows)
    if lost.empty:
        return []
    body = []
    for kind, part in lost.groupby(["config", "status", "message"], sort=False):
        config, status, message = map(str, kind)
        seeds = ", ".join(map(str, part["seed"]))
        body.append([code(config), status, code(message), seeds])
    heads = ["configuration", "status", "message", "seeds"]
    return [f"## Failures: {len(lost)} of {_cells(rows)} cells", markdown(heads, body, left=4)]


def _leaderboard(rows: pd.DataFrame) -> list[str]:
    """All configurations by every headline metric, in the order of the first."""
    there = measured(rows)
    split = next((name for name in _SPLITS if any(s == name for _, s, _ in there)), "")
    shown = [(name, source) for name, source in _HEADLINES if (name, split, source) in there]
    if not shown:
        return ["No cell gave a result that could be ranked."]
    boards = [rankings(rows, name, split, source) for name, source in shown]
    columns = [metric_column(rows, name, split, source) for name, source in shown]
    counts = summarise(rows, shown[0][0], split, shown[0][1])
    flagged, data = saturated(rows, split), rows.groupby("config", sort=False)["dataset"].first()
    several = data.nunique() > 1
    heads = ["configuration", *["data"] * several, "S", "failed"]
    for name, source in shown:
        heads += [heading(name) + f" ({source})" * bool(source), "rank"]
    body = []
    order, place = dict.fromkeys([*boards[0].index, *counts.index]), list(data.unique()).index
    for config in sorted(order, key=lambda config: place(data[config])):
        row = [code(config) + " †" * (config in flagged), *[data[config]] * several]
        row += [counts["S"][config], counts["failures"][config]]
        for column, board in zip(columns, boards, strict=True):
            row += [column[config], rank_text(board, config)]
        body.append(row)
    text = f"On {split} inputs, in the order of the mean {metric_named(shown[0][0]).symbol}."
    text += " Ranks are within a data set." * several
    text += f" S ≤ {FEW_SEEDS}: {TOO_FEW}." * bool((counts["S"] <= FEW_SEEDS).any())
    return [text, markdown(heads, body, left=1 + several), *[_DAGGER] * bool(flagged)]


def _study(rows: pd.DataFrame, name: str, folder: Path) -> list[str]:
    """The section of one study: picture, ranking, tables."""
    there, labels = measured(rows), levels(rows)
    key = ", ".join(varied_keys(rows)) or "configuration"
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    parts = [f"## Study: {name}"]
    panels = [m for m in _PANELS if any((m, split, "") in there for split in _SPLITS)][:4]
    if panels:
        picture = folder / "figures" / f"{slug}.png"
        save(metric_panels(rows, panels), picture)
        parts.append(_image(f"{name}: metrics against {key}", picture))
    parts += _ranked(rows, labels, key)
    for title, text in _TABLES.items():
        table = _table(rows, title, text.split(), labels, key)
        if table and title in _FOLDED:
            parts += [f"<details><summary>{title}</summary>", table, "</details>"]
        elif table:
            parts += [f"### {title}", table]
        if table and title == _KL:
            parts += [_DAGGER] * (" †" in table)
            if any(metric == "marginal_kl_null" for metric, *_ in there):
                picture = folder / "figures" / f"{slug}-kl.png"
                save(kl_parts(rows), picture)
                parts.append(_image(f"{name}: raw KL, null and excess", picture))
    return parts


def _ranked(rows: pd.DataFrame, labels: dict[str, str], key: str) -> list[str]:
    """The ranking of a study by its first headline metric."""
    there = measured(rows)
    options = [(m, split, source) for m, source in _HEADLINES for split in _SPLITS]
    chosen = next((option for option in options if option in there), None)
    if chosen is None:
        return ["No cell gave a result that could be ranked."]
    board, counts = rankings(rows, *chosen), summarise(rows, *chosen)
    body = []
    for config, row in board.iterrows():
        best = math.isnan(row["gap"])
        body.append(
            [
                labels[str(config)],
                quantity(row["mean"], row["half_width"]),
                rank_text(board, str(config)),
                "yes" if row["tie"] else "",
                "–" if best else quantity(row["gap"], row["gap_half_width"]),
                "–" if best else f"{row['gap_probability']:.2f}",
                row["S"],
                counts["failures"][str(config)],
            ]
        )
    symbol = metric_named(chosen[0]).symbol
    text = f"By {symbol} on {chosen[1]} inputs, best first."
    if absent := [label for config, label in labels.items() if config not in board.index]:
        text += f" Not ranked: {', '.join(absent)}."
    text += f" S ≤ {FEW_SEEDS}: {TOO_FEW}." * bool((board["S"] <= FEW_SEEDS).any())
    heads = [key, symbol, "rank", "tie group", "gap", "beats best", "S", "failed"]
    return ["### Ranking", text, *([markdown(heads, body)] if body else [])]


def _table(
    rows: pd.DataFrame, title: str, metrics: list[str], labels: dict[str, str], key: str
) -> str:
    """The metrics that there are, one line for each level, split and source; empty for none."""
    there, by_source = measured(rows), title == _SAMPLES
    named = [source for source in dict.fromkeys(rows["source"]) if source]
    parts = [(split, source) for split in _SPLITS for source in (named if by_source else [""])]
    shown = [name for name in metrics if any((name, *part) in there for part in parts)]
    columns = {part: [metric_column(rows, name, *part) for name in shown] for part in parts}
    flagged = {split: saturated(rows, split) for split in _SPLITS}
    body = []
    for config, label in labels.items():
        for split, source in parts:
            texts = [column[config] for column in columns[split, source]]
            if any(text != "–" for text in texts):
                mark = " †" * (config in flagged[split])
                body.append([label + mark, split, *[source] * by_source, *texts])
    heads = [key, "split", *["source"] * by_source, *map(heading, shown)]
    return markdown(heads, body, left=2 + by_source) if body else ""


def _quilts(folder: Path) -> list[str]:
    path = folder / "arrays.npz"
    if not path.exists():
        return []
    parts = ["## The latent space", _QUILT]
    with np.load(path) as arrays:
        for name in sorted(key.removesuffix("/mean") for key in arrays if key.endswith("/mean")):
            labels = arrays[f"{name}/labels"] if f"{name}/labels" in arrays else None
            picture = folder / "figures" / f"quilt-{name}.png"
            save(latent_quilt(arrays[f"{name}/mean"], arrays[f"{name}/scale"], labels), picture)
            parts += [f"{code(name)}:", _image(f"latent space of {name}", picture)]
    return parts


def _image(text: str, picture: Path) -> str:
    return f"![{text}]({'/'.join(picture.parts[-3:])})"
