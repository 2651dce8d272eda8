"""The results of a matrix as one HTML file that asks no other host for anything."""

import base64
import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bench.analysis.costs import METRIC
from bench.analysis.results import Results
from bench.export.marks import blocks, inline
from bench.export.origin import Origin
from bench.report.answer import answer
from bench.report.apart import collapsed_section, failure_section, unrun_section
from bench.report.blocks import Block, Picture
from bench.report.bracket_section import bracket_section
from bench.report.change_section import change_section
from bench.report.claims_page import effect, sentence, standing, summary, told
from bench.report.cost_section import cost, cost_section
from bench.report.data_section import resolution
from bench.report.latent_section import latent_section
from bench.report.leaderboard import NOTHING_RANKED, Column, board, ranks
from bench.report.markdown import code, markdown, quantity
from bench.report.page import earlier, question
from bench.report.replication import agreement
from bench.run.progress import counted

__all__ = ["GENERATOR", "as_html"]

GENERATOR = '<meta name="generator" content="vaebench export">'
"""A line near the beginning of every export, by which it is known."""


@dataclass(frozen=True)
class _Section:
    """A part of the page: a heading and what stands below it."""

    anchor: str
    title: str
    html: Markup


def as_html(results: Results, origin: Origin, command: str) -> str:
    """Compose the file.

    Args:
        results: Of one matrix.
        origin: Which code measured it, and when.
        command: That made the file.

    Returns:
        HTML with its style, its script and its pictures in it; without scripts all but sorting and
        filtering is there. A policy in its head keeps it from loading anything.
    """
    environment = Environment(
        loader=PackageLoader("bench.export"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style, script = _source(environment, "style.css"), _source(environment, "table.js")
    return environment.get_template("page.html").render(
        generator=Markup(GENERATOR),
        name=results.name,
        answer=inline(answer(results)),
        cost=inline(cost(results)),
        beneath=_set([*question(results), *earlier(results)]),
        sections=_sections(results, environment),
        made=_made(results, origin),
        command=command,
        style=Markup(style),
        script=Markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _source(environment: Environment, name: str) -> str:
    """A file of the suite as it is; nothing of a user's gets into it."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _hash(text: str) -> str:
    """What the policy of the page knows a style or a script by."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _sections(results: Results, environment: Environment) -> list[_Section]:
    lost = [*failure_section(results), *unrun_section(results)]
    every = [
        ("latents", "The latent space", _set(latent_section(results))),
        ("match", "Does q match p?", _set(bracket_section(results)[1:])),
        ("leaderboard", "Leaderboard", _leaderboard(results.models, environment)),
        ("claims", "Claims", _claims(results, environment)),
        ("helps", "What helps?", _set(change_section(results)[1:])),
        ("cost", "What sampling from the prior costs", _costs(results)),
        ("lost", "Without a result", _set(lost)),
        ("resolution", "What these inputs can resolve", _set(resolution(results)[1:])),
    ]
    return [_Section(*one) for one in every if one[2]]


def _set(parts: Iterable[Block]) -> Markup:
    """Blocks of a section as HTML, its pictures in it."""
    return Markup("\n").join(
        _picture(part) if isinstance(part, Picture) else blocks(part) for part in parts
    )


def _picture(picture: Picture) -> Markup:
    data = base64.b64encode(picture.png).decode()
    return Markup(
        '<figure class="box" tabindex="0" role="region" aria-label="figure: {0}">'
        '<img alt="{0}" src="data:image/png;base64,{1}"></figure>'
    ).format(picture.text, data)


def _leaderboard(results: Results, environment: Environment) -> Markup:
    found = board(results)
    if found is None:
        return blocks(NOTHING_RANKED)
    data = results.rows.groupby("config", sort=False)["dataset"].first()
    rows = [
        {
            "name": config,
            "data": str(data[config]),
            "cells": [(inline(one.texts[config]), _value(one, config)) for one in found.columns],
        }
        for config in found.order
    ]
    table = environment.get_template("leaderboard.html").render(
        name=results.name,
        several=data.nunique() > 1,
        columns=[(inline(column.head), column.descending) for column in found.columns],
        rows=rows,
    )
    texts = [(column.head, column.texts) for column in found.columns if column.head != "rank"]
    apart = collapsed_section(results, found.split, texts)
    below = [*filter(None, found.notes), *ranks(results, found), *apart]
    return Markup("\n").join([blocks(found.heading), Markup(table), _set(below)])


def _value(column: Column, config: str) -> str:
    """What a cell is sorted by; empty where nothing was measured."""
    value = column.values[config]
    return "" if math.isnan(value) else repr(value)


def _claims(results: Results, environment: Environment) -> Markup:
    if not results.findings:
        return Markup()
    listed = [
        {
            "id": finding.claim.id,
            "word": told(finding),
            "tone": finding.verdict.split()[0] if finding.seeds else "untested",
            "says": finding.claim.says,
            "effect": inline(effect(finding)) if finding.seeds else "",
            "unit": "" if finding.metric.unit in ("1", "flag") else finding.metric.unit,
            "margin": f"{finding.claim.margin:g}",
            "seeds": finding.seeds,
            "sentence": inline(sentence(finding)),
            "standing": f"{standing(finding).capitalize()}.",
        }
        for finding in results.findings
    ]
    compared = inline(agreement(results))
    text = environment.get_template("claims.html").render(
        summary=inline(summary(results.findings)), compared=compared, claims=listed
    )
    return Markup(text)


def _costs(results: Results) -> Markup:
    """What the prior costs each configuration, and the ladder."""
    if not results.costs:
        return Markup()
    lines = [
        [
            code(config),
            quantity(one.cost.mean, one.cost.half_width),
            quantity(one.won.mean, one.won.half_width) if one.won else "–",
            one.cost.seeds,
        ]
        for config, one in results.costs.items()
    ]
    fitted = next((one.fitted for one in results.costs.values() if one.fitted), "")
    heads = ["configuration", "cost of the prior", f"won back ({fitted or 'nothing fitted'})", "S"]
    unit = results.metrics.named(METRIC).unit
    words = f"In Fréchet distance, {unit}, paired within each model; intervals are over the seeds."
    return _set([*cost_section(results)[1:], words, markdown(heads, lines)])


def _made(results: Results, origin: Origin) -> str:
    """What the file was made from."""
    said = [
        f"{counted(len(results.configurations), 'configuration')}, "
        f"{counted(results.cells, 'cell')} of the matrix {results.name}"
    ]
    said += [f"measured {origin.date}"] if origin.date else []
    said += [f"by vaebench {origin.version}"] if origin.version else []
    commits = ", ".join(commit[:7] for commit in origin.commits)
    said += [f"commit {commits}{' and changes to it' * origin.changed}"] if commits else []
    return "; ".join(said) + "."
