"""An audit from a file as the one object that ``--json`` prints."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.audit.archive import Archive
from bench.audit.audit import Audited
from bench.audit.text import note
from vaelib.audits.document import Found, document, document_of_conditions
from vaelib.samples.priced import Price

__all__ = ["document_of"]


def document_of(
    archive: Archive,
    audits: Mapping[int | None, Audited],
    alpha: float,
    condition: int | None = None,
    price: Price | None = None,
) -> dict[str, Any]:
    """All that was found, with the answer first.

    Args:
        archive: what the file held.
        audits: condition -> its audit; under None where there is one answer.
        alpha: level of all answers together.
        condition: which of the file's conditions the one answer is about.
        price: of sampling from the prior, where that was asked.

    Returns:
        The object of ``docs/json.md``; a row also says where it saw some of the inputs.
    """
    read, notes = archive.read.removeprefix("read: ") or None, archive.warnings
    found = {label: _found(one) for label, one in audits.items()}
    if None in found:
        if price is not None:
            found[None] = replace(found[None], rows=[*found[None].rows, *price.rows])
        return document(
            found[None],
            alpha=alpha,
            condition=condition,
            read=read,
            notes=notes,
            price=None if price is None else price.document(),
        )
    parts = {label: one for label, one in found.items() if label is not None}
    return document_of_conditions(parts, alpha=alpha, read=read, notes=notes)


def _found(audited: Audited) -> Found:
    rows = [replace(row, message=note(audited, row)) for row in audited.rows]
    return Found(rows, audited.answers, audited.asked)
