import math
import re
from html import unescape

import numpy as np
import pytest
from markdown_it import MarkdownIt

from bench.analysis.replicates import measured_keys, summarise
from bench.analysis.results import Results
from bench.metrics.registry import METRICS
from bench.report.markdown import (
    code,
    fitted,
    glossary,
    heading,
    markdown,
    metric_column,
    prose,
    quantity,
    rank_text,
)
from bench.rows import read_rows, write_rows
from tests.bench.synthetic import SATURATED, synthetic_rows


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    write_rows(path, synthetic_rows())
    return read_rows(path)


@pytest.fixture(scope="module")
def results(frame):
    return Results("m", frame)


@pytest.mark.parametrize(
    ("mean", "half", "text"),
    [
        (0.24369, 0.02929, "0.244 ± 0.029"),
        (-92.0777, 0.4349, "-92.08 ± 0.43"),
        (1234.5, 567.8, "1230 ± 570"),
        (0.5, 0.0996, "0.50 ± 0.10"),
        (0.5, 0.00996, "0.500 ± 0.010"),
        (12.34, 9.96, "12 ± 10"),
        (-0.0001, 0.5, "0.00 ± 0.50"),
        (2.1e-5, 3.34e-6, "(2.10 ± 0.33)e-5"),
        (1.5e7, 2.5e5, "(1.500 ± 0.025)e7"),
        (2.0, 0.0, "2 ± 0"),
        (0.0, 0.0, "0 ± 0"),
        (3.0, 1e-12, "3 ± 0"),
        (0.123456, math.nan, "0.1235"),
        (0.123456, math.inf, "0.1235"),
        (math.nan, math.nan, "–"),
        (math.inf, 1.0, "–"),
    ],
)
def test_quantities_have_the_precision_of_their_interval(mean, half, text):
    assert quantity(mean, half) == text


def test_quantities_keep_two_digits_of_the_half_width():
    rng = np.random.default_rng(0)
    for mean, half in zip(rng.normal(0, 30, 300), 10 ** rng.uniform(-3, 2, 300), strict=True):
        shown_mean, shown_half = map(float, quantity(mean, half).strip("()").split(" ± "))
        assert shown_half == pytest.approx(half, rel=0.05)
        assert abs(shown_mean - mean) <= 0.051 * half
        assert len(re.sub(r"^0\.0*|\.", "", quantity(mean, half).split(" ± ")[1])) <= 3


def test_pipes_do_not_split_cells():
    text = markdown(["a|b", "n"], [["x | y", 1], [code("p `q` | \n r"), 22]])
    lines = text.splitlines()
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {3}
    assert r"`p 'q' \| r`" in text
    assert lines[1].startswith("|:-") and lines[1].endswith("-:|")


def test_code_is_one_short_line_or_nothing():
    assert code("") == "" and code(" \n") == ""
    assert len(code("x" * 1000)) == 202


def test_numbers_in_tables_are_not_reformatted():
    assert "0.10 ± 0.20" in markdown(["v"], [["0.10 ± 0.20"]])
    assert "1.00" in markdown(["v"], [["1.00"]])


def test_headings_show_direction_and_unit():
    assert heading(METRICS["moment_kl"]) == "moment KL ↓ [nats]"
    assert heading(METRICS["marginal_kl_excess"]) == "excess given scale (diagnostic) [nats]"
    assert heading(METRICS["elbo"]) == "ELBO ↑ [nats per input]"
    assert heading(METRICS["marginal_kl"]) == "KL(q_N‖p) [nats]"
    assert heading(METRICS["authenticity"]) == "authenticity → real [probability]"
    assert heading(METRICS["mmd_test"]) == "MMD, p ≤ .05"


def test_measured_knows_what_there_is(frame):
    keys = measured_keys(frame, METRICS)
    assert ("rate", "train", "") in keys and ("frechet", "test", "gmm") in keys
    assert ("frechet", "train", "gmm") not in keys and ("iwae", "test", "") not in keys
    own = frame.assign(metric=frame["metric"].replace("rate", "my_metric"))
    assert "my_metric" not in {metric for metric, *_ in measured_keys(own, METRICS)}
    undefined = frame.assign(value=frame["value"].mask(frame["metric"] == "rate"))
    assert ("rate", "test", "") not in measured_keys(undefined, METRICS)
    infinite = frame.assign(value=frame["value"].mask(frame["metric"] == "mmd_test"))
    assert ("mmd_test", "test", "") in measured_keys(infinite, METRICS), "a p-value is enough"


def test_columns_print_the_summary_and_set_the_tie_group_in_bold(frame, results):
    column = metric_column(results, "elbo", "test")
    board = summarise(frame, "elbo", "test")
    assert column["base"] == quantity(board["mean"]["base"], board["half_width"]["base"])
    assert [config for config, text in column.items() if text.startswith("**")] == ["latent_dim-32"]
    mixed = metric_column(results, "mmd_squared", "test")
    assert results.ranking("mmd_squared", "test").empty, "of several latent dimensions"
    assert not any("**" in text for text in mixed.values())
    level = metric_column(results.studies["encoder depth"], "mmd_squared", "test")
    assert results.studies["encoder depth"].ranking("mmd_squared", "test")["tie"].all()
    assert not any("**" in text for text in level.values()), "all tied: nothing is bold"
    assert not any("**" in text for text in metric_column(results, "rate", "test").values())


def test_saturated_numbers_stand_in_brackets(results):
    column = metric_column(results, "marginal_kl_excess", "train")
    assert {config for config, text in column.items() if text.startswith("[")} == SATURATED
    counts = metric_column(results, "marginal_kl_null_test", "train")
    assert counts["latent_dim-32"] == "[0 of 10]" and counts["latent_dim-6"] == "9 of 9"
    assert metric_column(results, "saturated", "train")["latent_dim-32"] == "10 of 10"
    assert metric_column(results, "saturated", "train")["base"] == "0 of 10"


def test_rank_intervals_are_printed_short(results):
    board = results.ranking("elbo", "test")
    assert rank_text(board, "latent_dim-32") == "1"
    assert rank_text(board, "base") == "8–9"
    assert rank_text(board.drop(index="latent_dim-32"), "latent_dim-32") == "–"


def test_data_sets_are_ranked_apart(frame):
    import pandas as pd

    other = frame.assign(dataset="mnist5k", config=frame["config"] + "-m")
    board = Results("m", pd.concat([frame, other])).ranking("elbo", "test")
    assert len(board) == 24
    assert rank_text(board, "latent_dim-32") == rank_text(board, "latent_dim-32-m") == "1"


def test_the_glossary_explains_what_it_is_asked_in_one_line_each():
    lines = glossary(METRICS[name] for name in ("rate", "variance_law", "elbo")).splitlines()
    assert len(lines) == 3 and lines[0].startswith("* **rate R** (nats): ")
    assert lines[1].startswith("* **variance law** (1; lower is better): ")
    assert lines[2].startswith("* **ELBO** (nats per input; higher is better): ")


def test_wide_tables_are_cut_into_tables_of_one_size_with_the_first_columns():
    heads, line = ["name", *"abcdefg"], ["x", *"1234567"]
    first, second = fitted(heads, [line])
    assert [text.count("|") for text in (first.splitlines()[0], second.splitlines()[0])] == [6, 5]
    assert first.splitlines()[2].startswith("| x ") and second.splitlines()[2].startswith("| x ")
    assert fitted(heads, []) == [] and len(fitted(heads[:6], [line[:6]])) == 1
    wide = ["y" * 50] * 4
    assert [table.count("y" * 50) for table in fitted(list("abcd"), [wide])] == [2, 2, 2]
    assert len(fitted(list("ab"), [["z" * 200, "1"]])) == 1, "one column is not cut"


def test_a_persons_text_is_no_markup():
    hostile = "a *b* <script>x</script> [c](http://d) `e` _f_ # $g$ & ~h~\n\\"
    text = prose(hostile)
    html = MarkdownIt("commonmark", {"html": True}).render(text)
    assert not re.search(r"<(?!/?p>)", html)
    assert unescape(re.sub(r"</?p>", "", html)).strip() == " ".join(hostile.split())
