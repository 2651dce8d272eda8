"""Markdown pages: the same rows give the same bytes."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.analysis.comparison import ranking
from bench.analysis.replicates import FEW_SEEDS, TOO_FEW, failures, replicates
from bench.files import write_atomically
from bench.metrics.registry import METRICS, recall
from bench.report.claims_page import answers, claims_page, findings
from bench.report.markdown import SPLITS, glossary, markdown, measured, quantity
from bench.report.sample_sections import sample_section
from bench.report.sections import (
    count_cells,
    failure_section,
    latent_section,
    leaderboard_section,
    study_section,
)
from bench.rows import read_rows, write_rows

__all__ = ["answer", "page", "write_index", "write_pages"]

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
* **After the gauge fix**: each dimension shifted and rescaled to mean 0 and variance 1. Affine
  heads absorb that for free, so what it removes is unfinished training, not the model.
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
            ``"<name>/labels"``, shape (N,); and of images, ``"<name>/samples/<source>"``, shape
            (n, channels, height, width), uint8. The name says whose they are and becomes part of
            a file's.

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
    if found := findings(folder):
        claims = results / f"{matrix}-claims.md"
        write_atomically(claims, claims_page(matrix, found).encode())
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
    if blocks := answers(results, names):
        parts += ["## What the thread said, and what the seeds say", *blocks]
    known = {"README", *names, *(f"{name}-claims" for name in names)}
    others = sorted({page.stem for page in results.glob("*.md")} - known)
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
    recall(folder)
    rows, name = read_rows(folder / "rows.csv"), folder.name
    parts = [f"# {name}"]
    if comment.strip():
        parts.append("\n".join(f"> {line}".rstrip() for line in comment.strip().splitlines()))
    parts += [
        f"**{answer(rows)}**",
        *_claims_link(folder),
        *failure_section(rows),
        "## Leaderboard",
        *leaderboard_section(rows, folder),
    ]
    studies = rows["study"].map(lambda text: text.split("; "))
    for study in dict.fromkeys(study for found in studies for study in found if study):
        parts += study_section(rows[[study in found for found in studies]], study, folder)
    if len(rows) and not rows["study"].any():
        parts += study_section(rows, "all configurations", folder)
    parts += [*sample_section(rows, folder), *latent_section(folder), _HOW_TO_READ.strip()]
    if there := measured(rows):
        parts += ["### The columns", glossary(metric for metric, *_ in there)]
    counts = f"{rows['config'].nunique()} configurations, {count_cells(rows)} cells"
    parts.append(f"Made from [{name}/rows.csv]({name}/rows.csv): {counts}.")
    return "\n\n".join(parts) + "\n"


def _collapsed(rows: pd.DataFrame, config: object, split: str) -> bool:
    """Whether the posteriors of a configuration say nothing about their inputs."""
    if ("active_units", split, "") not in measured(rows):
        return False
    return bool((replicates(rows, "active_units", split)[config].dropna() == 0).all())


def _claims_link(folder: Path) -> list[str]:
    """Where the page's claims are decided, if it has any."""
    name = f"{folder.name}-claims.md"
    return [f"Claims and verdicts: [{name}]({name})."] if findings(folder) else []


def answer(rows: pd.DataFrame) -> str:
    """Say in one or two sentences what the rows decide.

    Args:
        rows: Tidy rows of one matrix.

    Returns:
        Plain text with Markdown code spans.
    """
    texts = [_answer(part, str(data)) for data, part in rows.groupby("dataset", sort=False)]
    if lost := len(failures(rows)):
        texts.append(f"{lost} of {count_cells(rows)} cells gave no result.")
    return " ".join(texts) or "No cell was run."


def _answer(rows: pd.DataFrame, data: str) -> str:
    metric, there = METRICS["marginal_kl_excess"], measured(rows)
    splits = [name for name in SPLITS if (metric.name, name, "") in there]
    if not splits or metric.margin is None:
        return f"On {data} no cell has an excess KL, so the match is undecided."
    boards = {split: ranking(rows, metric.name, split) for split in splits}
    split = next((name for name in splits if len(boards[name])), splits[0])
    total = int(replicates(rows, metric.name, split).notna().any().sum())
    board = boards[split]
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
    text += ", a collapse: no unit is active" if _collapsed(rows, board.index[0], split) else ""
    text += f", tied with {tied} more" if tied else ""
    text += f": {best['note']}" if best["note"] else ""
    return text + (f"; {flagged} more cannot be ranked, being saturated." if flagged else ".")
