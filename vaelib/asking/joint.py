"""The answers of all conditions, as people and programs read them together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vaelib.audits.document import (
    WORST_FIRST,
    Found,
    as_json,
    counts_of,
    document_of_conditions,
    joint_question,
    jointly,
    noted,
)
from vaelib.audits.moment_answers import Answer
from vaelib.audits.summary import deciding, ends, proved
from vaelib.report import Report

__all__ = ["Conditions"]


class Conditions(Mapping[int, Report[Answer]]):
    """Condition -> its report, in ascending order, and what is said of all of them together.

    Args:
        reports: of each condition, at least one.
        alpha: one-sided level of all answers together.

    Example:
        >>> import torch
        >>> from vaelib import answers_by_condition
        >>> mean = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
        >>> label = torch.arange(400) % 2
        >>> mean = mean + 3 * label[:, None]
        >>> found = answers_by_condition(mean, torch.full_like(mean, 0.1), label)
        >>> found.verdict, found.ok, list(found)
        ('no', False, [0, 1])
        >>> print(found)  # doctest: +ELLIPSIS
        May I sample from N(0, I) given the condition? undecided 1, no 1.
        0: undecided, KL(q‖p) ... nats
        1: no, KL(q‖p) ... nats
        Each end is at level 0.025/2 = 0.0125, so that all of one side hold together at 0.025.
    """

    def __init__(self, reports: Mapping[int, Report[Answer]], alpha: float) -> None:
        self._reports, self.alpha = dict(reports), float(alpha)

    def __getitem__(self, condition: int) -> Report[Answer]:
        return self._reports[condition]

    def __iter__(self) -> Iterator[int]:
        return iter(self._reports)

    def __len__(self) -> int:
        return len(self._reports)

    @property
    def verdict(self) -> str:
        """The worst answer of all, in the order no, flagged, undecided, yes."""
        return min((one.verdict for one in self.values()), key=WORST_FIRST.index)

    @property
    def ok(self) -> bool | None:
        """Whether every prior is safe to sample: True, False, or None where that is undecided."""
        return proved(self.verdict)

    def __repr__(self) -> str:
        return f"<Conditions: {counts_of(one.verdict for one in self.values())}>"

    def __str__(self) -> str:
        asked = joint_question(one.asked for one in self.values())
        said = [f"{asked} {counts_of(one.verdict for one in self.values())}."]
        for label, one in self.items():
            said.append(f"{label}: {one.verdict}, KL(q‖p) {ends(deciding(one.rows))}")
        notes = [f"{note}." for note in noted((), self._parts().values())]
        return "\n".join([*said, jointly(len(self), self.alpha), *notes])

    def _parts(self) -> dict[int, Found]:
        return {label: Found(one.rows, one.answers, one.asked) for label, one in self.items()}

    def to_json(self) -> str:
        """All of it as one object of strict JSON, under the schema of a single report.

        Returns:
            The object that ``vaebench audit FILE --json`` prints for a file with conditions; the
            answers of each are beneath ``conditions``, and ``joint`` says what holds of all.
        """
        return as_json(document_of_conditions(self._parts(), alpha=self.alpha))
