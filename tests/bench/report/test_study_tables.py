"""What is said below a table: one line for texts that differ in numbers alone."""

import pandas as pd

from bench.analysis.results import Results
from bench.metrics.registry import METRICS
from bench.report.study_tables import notes
from bench.rows import COLUMNS


def said(*messages, split="test"):
    """The notes on rows of one metric, a configuration each."""
    blank = dict.fromkeys(COLUMNS, "") | {"matrix": "m", "status": "ok", "metric": "marginal_kl"}
    rows = pd.DataFrame(
        [
            blank | {"config": f"c{i}", "seed": 0, "split": split, "message": text, "value": 1.0}
            for i, text in enumerate(messages)
        ]
    )
    study = Results("m", rows)
    return notes(study, ["marginal_kl"], {f"c{i}": str(i) for i in range(len(messages))})


def test_texts_that_differ_in_numbers_are_one_line_with_ranges():
    texts = ["must not exceed 1, got 1.16", "must not exceed 1, got 1.02", "saturated"]
    (block,) = said(*texts)
    symbol = METRICS["marginal_kl"].symbol
    assert block.splitlines() == [
        f"* {symbol}: must not exceed 1, got 1.02 to 1.16 (0; 1)",
        f"* {symbol}: saturated (2)",
    ]


def test_ranges_are_of_numbers_and_not_of_texts():
    (block,) = said("of 9,500 inputs, gap -2e-3", "of 10,000 inputs, gap 1.5")
    assert "of 9,500 to 10,000 inputs, gap -2e-3 to 1.5 (0; 1)" in block


def test_equal_texts_stay_as_they_are():
    (block,) = said("D = 2, N(0, I)", "D = 2, N(0, I)")
    assert block.endswith("D = 2, N(0, I) (0; 1)")
    assert said("", "") == []
