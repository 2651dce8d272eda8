"""Pages say what the rows say, the same bytes for the same rows, whatever is missing."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from bench.analysis.comparison import ranking, rankings
from bench.analysis.quantiles import SHARES
from bench.analysis.replicates import between_sources, summarise, t_interval
from bench.analysis.results import Results
from bench.commands.report import write_overviews, write_pages
from bench.metrics.metric import Table
from bench.metrics.registry import METRICS
from bench.report import blocks, leaderboard, study_sections
from bench.report.answer import answer as answer_of
from bench.report.cost_section import cost
from bench.report.index import index
from bench.report.markdown import heading, quantity
from bench.report.page import page
from bench.rows import read_rows, write_rows
from tests.bench.synthetic import INPUTS, paged, synthetic_rows
from vaelib.stats.sbc import GRID

COMMENT = "# Does the match improve with depth?\n# Cost: 2 minutes.\n"


def quilt_arrays():
    rng = np.random.default_rng(0)
    name = "base-test-seed-0"
    return {
        f"{name}/scale": rng.uniform(0.1, 0.4, (50, 2)),
        f"{name}/mean": rng.normal(0, 1, (50, 2)),
        f"{name}/labels": np.arange(50) % 10,
        "base/quantiles": np.tile(norm.ppf(SHARES), (2, 1)),
        "latent_dim-3/quantiles": np.tile(2 * norm.ppf(SHARES), (3, 1)),
    }


def answer(rows):
    return answer_of(Results("synthetic", rows))


def tree(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    paged(folder, "synthetic", synthetic_rows(), COMMENT, quilt_arrays())
    return folder


@pytest.fixture(scope="module")
def text(results):
    return (results / "synthetic.md").read_text()


@pytest.fixture(scope="module")
def frame(results):
    return read_rows(results / "synthetic" / "rows.csv")


@pytest.fixture(scope="module")
def small(frame):
    """One study and few metrics: quick to write."""
    kept = ["", "marginal_kl", "marginal_kl_null", "marginal_kl_excess", "saturated", "elbo"]
    rows = frame[frame["study"].str.contains("latent size") & frame["metric"].isin(kept)]
    return rows.assign(study="latent size")


@pytest.fixture
def undrawn(monkeypatch):
    for module, name in (
        (study_sections, "kl_parts"),
        (study_sections, "metric_panels"),
        (leaderboard, "rank_plot"),
        (blocks, "png"),
    ):
        monkeypatch.setattr(module, name, lambda *_: b"")


def compose(tmp_path, rows):
    write_rows(tmp_path / "edge" / "rows.csv", rows)
    return page(Results.read(tmp_path / "edge")).text


def section(text, title):
    return re.split(r"^##+ ", text.split(title + "\n", 1)[1], maxsplit=1, flags=re.M)[0]


def titled(name):
    return heading(METRICS[name])


def cells(text):
    """Head and body of the first table of a text."""
    lines = re.search(r"(?:^\|.*\n)+", text, flags=re.M).group().splitlines()
    split = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return split[0], split[2:]


# The same bytes


def test_pages_and_figures_are_rebuilt_byte_for_byte_from_the_files(results):
    before = tree(results)
    assert len(before) == 3 + 3 + 3 + 12, "marker, stamps, pages, rows, matrix, arrays, figures"
    write_pages(results, "synthetic")
    assert tree(results) == before


def test_ranks_of_an_encoder_stand_in_a_table_with_their_figure(tmp_path, small):
    one = small[small["metric"] == "elbo"].drop_duplicates(["config", "seed"])
    calibrated = [
        one.assign(metric="sbc_test", split="test", p_value=0.001, message="simulated"),
        one.assign(metric="sbc_scale", split="test", value=0.8),
    ]
    ranks = np.tile(np.arange(1, GRID + 1) * 10, (3, 1))
    rows = pd.concat([small[small["metric"] == ""], one, *calibrated])
    text = paged(tmp_path, "one", rows, arrays={"base/sbc": ranks}).read_text()
    part = section(text, "### Is the encoder the posterior?")
    heads, lines = cells(part)
    assert heads[2:] == [titled("sbc_test"), titled("sbc_scale")]
    assert lines[0][1:] == ["test", "10 of 10", "0.8 ± 0"]
    assert "SBC: simulated (" in part and "(one/figures/latent-size-sbc.png)" in part
    assert (tmp_path / "one" / "figures" / "latent-size-sbc.png").stat().st_size > 5000


def test_new_rows_change_the_page(tmp_path, undrawn, small):
    path = paged(tmp_path, "one", small, COMMENT)
    before = path.read_text()
    paged(tmp_path, "one", small[small["seed"] < 9])
    assert path.read_text() != before


def test_there_is_no_time_in_the_body(text):
    assert not re.search(r"\d{4}-\d\d-\d\d|\d\d:\d\d|20[2-9]\d-|seconds", text)


# What a reader finds


def test_failures_come_first(text):
    heads = re.findall(r"^## (.*)$", text, flags=re.M)
    assert heads == [
        "Failures: 2 of 120 cells",
        "Does q match p?",
        "Leaderboard",
        "What sampling from the prior costs",
        "Study: latent size",
        "Study: encoder depth",
        "Samples",
        "The latent space",
        "How to read this",
    ]
    _, body = cells(text)
    assert body[0] == [
        "`latent_dim-6`",
        "failed",
        r"`RuntimeError: expected a \| b but got c`",
        "3",
    ]
    assert body[1][1:] == ["diverged", "`the loss was not finite at step 812`", "7"]


def test_the_page_opens_with_its_answer_and_then_quotes_the_question(text, frame):
    lines = text.splitlines()
    assert lines[0] == "# synthetic"
    assert lines[2] == f"**{answer(frame)}**"
    assert lines[4] == cost(Results("synthetic", frame)) and lines[4].startswith(
        "Sampling from the prior instead of"
    )
    assert lines[6:8] == ["> Does the match improve with depth?", "> Cost: 2 minutes."]


def test_every_table_has_whole_rows(text):
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.M):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(counts) == 1
    assert "nan" not in text and "inf" not in text.replace("information", "").replace("finite", "")


def test_pictures_exist_and_are_linked_from_beside_the_folder(results, text):
    linked = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(linked) == 11 and all((results / link).is_file() for link in linked)
    assert {results / link for link in linked} == set(results.glob("synthetic/figures/*"))


def test_the_leaderboard_holds_match_samples_and_cost_in_the_order_of_the_samples(text, frame):
    board = section(text, "## Leaderboard")
    assert "On test inputs, in the order of the mean Fréchet (prior)." in board
    heads, body = cells(board)
    cost = "cost of the prior [share of trace(cov real)]"
    quality = f"{titled('frechet')} (prior)"
    assert heads[:3] == ["configuration", "S", "failed"]
    match = [titled("certified_kl"), titled("c2st_auc")]
    assert heads[3:] == [*match, titled("elbo"), "rank", quality, "rank", cost]
    ranked = ranking(frame, METRICS["frechet"], "test", "prior")
    costs = between_sources(frame, "frechet", "prior", "aggregate")
    assert len(body) == len(ranked) == 12
    for row, (config, best) in zip(body, ranked.iterrows(), strict=True):
        assert row[0] == f"`{config}`" and row[1] == str(best["S"])
        assert row[7].strip("*") == quantity(best["mean"], best["half_width"])
        assert row[7].startswith("**") == best["tie"]
        low, high = best["rank_low"], best["rank_high"]
        assert row[8] == (f"{low}" if low == high else f"{low}–{high}")
        assert row[9] == quantity(*map(float, t_interval(costs[config].to_numpy())))
    lost = next(row for row in body if row[0] == "`encoder_hidden-1000`")
    assert lost[1:3] == ["9", "1"]


def test_what_cannot_be_compared_across_dimensions_is_shown_and_not_ranked(text):
    said = "because the latent dimension D changes it at one and the same KL, and here are 7 values"
    board = section(text, "## Leaderboard")
    assert f"Shown but not ranked, {said} of D: gain, classifier AUC." in board
    sizes, depths = text.split("## Study: ")[1:3]
    assert f"Shown but not ranked, {said} of D: gain, moment KL, MMD², classifier AUC." in sizes
    assert "Shown but not ranked" not in depths.split("## Samples")[0]
    distances = cells(
        sizes.split("<summary>Distance between z of q and z of the prior</summary>")[1]
    )
    assert "**" not in str(distances)


def test_a_page_says_which_interval_it_shows(text):
    board = section(text, "## Leaderboard")
    assert leaderboard.INTERVAL in board
    assert "over all training seeds on these data; sampling other images adds" in board


def test_the_matrix_has_the_say_on_the_order(tmp_path, undrawn, frame):
    file = '[matrix]\nname = "edge"\norder = "reconstruction"\n'
    write_rows(tmp_path / "edge" / "rows.csv", frame)
    (tmp_path / "edge" / "matrix.toml").write_text(file)
    text = page(Results.read(tmp_path / "edge")).text
    heads, body = cells(section(text, "## Leaderboard"))
    assert heads[3:5] == [titled("reconstruction"), "rank"]
    board = ranking(frame, METRICS["reconstruction"], "test")
    assert [row[0] for row in body] == [f"`{config}`" for config in board.index]
    assert "By reconstruction on test inputs, best first." in text


def collapsed(frame, seeds, config="latent_dim-32"):
    """Rows in which a configuration encodes nothing on so many seeds."""
    told = frame["metric"].isin(["active_units", "mutual_information"])
    dead = (frame["config"] == config) & told
    return frame.assign(value=frame["value"].mask(dead & (frame["seed"] < seeds), 0.0))


def test_a_dead_model_is_listed_apart_and_never_ranked(tmp_path, undrawn, frame, text):
    assert cells(section(text, "## Leaderboard"))[1][-1][0] == "`latent_dim-32`"
    dead = compose(tmp_path, collapsed(frame, 10))
    board = section(dead, "## Leaderboard")
    assert "latent_dim-32" not in board and len(cells(board)[1]) == 11
    heads, body = cells(section(dead, "### Collapsed"))
    assert heads[:3] == ["configuration", "collapsed seeds", titled("certified_kl")]
    assert "rank" not in heads and len(body) == 1
    assert body[0][:2] == ["`latent_dim-32`", "10 of 10"] and "**" not in str(body)
    ranked = section(dead, "### Ranking")
    assert "Collapsed: 32." in ranked and "32" not in [row[0] for row in cells(ranked)[1]]
    elbo = METRICS["elbo"]
    assert rankings(frame, elbo, "test").index[0] == "latent_dim-32"
    assert "latent_dim-32" not in rankings(collapsed(frame, 10), elbo, "test").index


def test_a_page_counts_the_seeds_that_collapsed(tmp_path, undrawn, frame):
    some = compose(tmp_path, collapsed(frame, 4))
    assert "### Collapsed" not in some
    said = "Collapsed, and counted in the means: 4 of 10 seeds of `latent_dim-32`."
    assert said in section(some, "## Leaderboard") and said in section(some, "### Ranking")
    assert "5 of 10" in section(compose(tmp_path, collapsed(frame, 5)), "### Collapsed")


def test_a_page_of_dead_models_alone_ranks_nobody(tmp_path, undrawn, frame):
    rows = frame[frame["config"] == "base"]
    text = compose(tmp_path, collapsed(rows, 10, "base"))
    assert "`base`" in section(text, "### Collapsed")
    assert "`base`" not in section(text, "## Leaderboard")


def test_saturated_configurations_are_marked_bracketed_and_explained(text):
    diagnostics = text.split("<summary>Diagnostics</summary>")[1].split("</details>")[0]
    heads, body = cells(diagnostics)
    assert heads[2:4] == [titled("marginal_kl_null"), titled("marginal_kl_excess")]
    tested = [row for row in body if row[1] == "test"]
    marked = [row for row in tested if row[0].endswith(" †")]
    assert [row[0] for row in marked] == [f"{d} †" for d in (6, 8, 16, 32)]
    assert all(row[3].startswith("[") for row in marked)
    assert not any(row[3].startswith("[") for row in tested if row not in marked)
    assert "bounded below by the floor" in diagnostics and "it decides nothing" in diagnostics
    assert "†" not in section(text, "## Leaderboard")


def test_studies_show_both_splits_of_every_level(text, frame):
    heads, body = cells(section(text, "### Where the KL comes from"))
    names = ["rate", "mutual_information", "marginal_kl_floor", "marginal_kl"]
    assert heads == ["latent_dim", "split", *map(titled, names), "saturated"]
    assert [row[0].removesuffix(" †") for row in body[::2]] == ["2", "3", "4", "6", "8", "16", "32"]
    assert [row[1] for row in body] == ["test", "train"] * 7
    for split, row in zip(["test", "train"], body[6:8], strict=True):
        board = summarise(frame, "rate", split).loc["latent_dim-6"]
        assert row[2] == quantity(board["mean"], board["half_width"])
    assert body[6][0] == "6 †" and body[7][0] == "6", "saturated on test, not on train"
    assert body[6][-1] == "9 of 9" and body[7][-1] == "0 of 9"
    _, exact = cells(text.split("<summary>Diagnostics</summary>")[1])
    assert exact[6][-1] == "[0 of 9]" and exact[7][-1] == "9 of 9"


def test_samples_are_listed_by_source(text):
    heads, body = cells(section(text, "### Samples by latent source"))
    assert heads == ["latent_dim", "split", "source", titled("frechet"), titled("coverage")]
    assert [row[2] for row in body[:3]] == ["prior", "aggregate", "gmm"] and len(body) == 21


def test_the_gauge_fix_has_its_own_table(text, frame):
    heads, body = cells(text.split("<summary>After the gauge fix</summary>")[1])
    assert heads == ["latent_dim", "split", titled("rate"), titled("marginal_kl_excess")]
    assert len(body) == 14
    board = summarise(frame, "rate", "test", "gauge_fixed").loc["base"]
    assert body[0][2] == quantity(board["mean"], board["half_width"])


def test_what_was_said_of_a_number_is_passed_on(tmp_path, undrawn, small):
    touched = small["metric"].isin(["marginal_kl_null", "marginal_kl_excess"])
    wide = small["config"].isin(["latent_dim-3", "base"]) & touched
    note = "the scale depends on the place, which its null assumes it does not"
    text = compose(tmp_path, small.assign(message=small["message"].mask(wide, note)))
    assert (
        f"* null KL, excess given scale (diagnostic): {note} (2; 3)"
        in text.split("<summary>Diagnostics</summary>")[1]
    )
    assert note not in compose(tmp_path, small)
    trained = wide & (small["split"] == "train")
    text = compose(tmp_path, small.assign(message=small["message"].mask(trained, note)))
    assert f"* null KL, excess given scale (diagnostic): {note} (train: 2; 3)" in text


def test_absent_metrics_are_left_out(tmp_path, undrawn, frame, text):
    assert "iwae" not in text.lower()
    few = frame[~frame["metric"].isin(["frechet", "coverage", "elbo", "reconstruction"])]
    left = compose(tmp_path, few)
    assert "Samples" not in left and "Likelihood\n" not in left
    assert "Where the KL comes from" in left and titled("elbo") not in left


def test_every_metric_has_its_place_in_the_plan():
    places = [(metric.table, metric.place) for metric in METRICS.values()]
    assert Table.OWN not in {table for table, _ in places}
    ordered = [place for place in places if place[0] != Table.SAMPLES]  # those keep their order
    assert len(set(ordered)) == len(ordered) and all(number < 99 for _, number in ordered)
    headlines = leaderboard.headlines(METRICS)
    assert {name for name, _ in headlines} <= set(METRICS)
    assert all(METRICS[name].better for name, _ in headlines)


def test_the_columns_are_explained_in_the_order_of_the_metrics(text):
    symbols = [row[0] for row in cells(section(text, "### The columns"))[1]]
    known = [metric.symbol.replace("|", r"\|") for metric in METRICS.values()]
    assert len(symbols) > 10 and symbols == [symbol for symbol in known if symbol in symbols]


def test_unknown_metrics_of_others_do_no_harm(tmp_path, undrawn, small):
    own = small.assign(metric=small["metric"].replace("elbo", "my_metric"))
    assert "my_metric" not in compose(tmp_path, own)


# Pages of little


def dead(frame):
    once = frame.drop_duplicates(["config", "seed"])
    return once.assign(status="missing", metric="", split="", value=np.nan, message="has not run")


def test_a_page_of_failures_only(tmp_path, undrawn, frame):
    text = compose(tmp_path, dead(frame))
    assert "120 of 120 cells gave no result" in text and "`has not run`" in text
    assert "No cell gave a result" in section(text, "## Leaderboard")
    assert "![" not in text


def test_what_has_not_run_is_no_failure_and_stands_nowhere_else(tmp_path, undrawn, small):
    """As after `--only base`: the rows are those of the whole plan."""
    others = small["config"] != "base"
    rows = pd.concat([small[~others], dead(small[others])])
    text = compose(tmp_path, rows)
    count = small["config"].nunique() - 1
    line = next(line for line in text.splitlines() if line.startswith("**Not run yet**"))
    assert f"nothing below: {count} configurations, `" in line and "gave no result" not in text
    assert "Failures" not in text and "latent_dim-" not in text.replace(line, "")
    results = Results.read(tmp_path / "edge")
    assert f"1 of {count + 1} configurations" in index([results], [], {}, "")


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_page_of_few_seeds_says_so(tmp_path, undrawn, small, seeds):
    text = compose(tmp_path, small[small["seed"] < seeds])
    assert text.count("S ≤ 4: too few seeds for a claim.") == 2
    board = cells(section(text, "## Leaderboard"))[1]
    assert all(row[4] == "1–7" for row in board) and "**" not in str(board)
    assert ("±" in board[0][3]) == (seeds > 1)


def test_a_matrix_without_studies_still_shows_its_measurements(tmp_path, undrawn, frame):
    text = compose(tmp_path, frame[frame["config"] == "base"].assign(study=""))
    assert [row[:2] for row in cells(section(text, "### Where the KL comes from"))[1]] == [
        ["base", "test"],
        ["base", "train"],
    ]


def test_an_empty_matrix(tmp_path, undrawn, frame):
    text = compose(tmp_path, frame.head(0))
    assert "**No cell was run.**" in text and "0 configurations, 0 cells" in text


def test_two_data_sets_are_told_apart(tmp_path, undrawn, small):
    other = small.assign(dataset="mnist5k", config=small["config"] + "-m")
    text = compose(tmp_path, pd.concat([small, other]))
    heads, body = cells(section(text, "## Leaderboard"))
    assert heads[1] == "data" and [row[1] for row in body] == ["digits"] * 7 + ["mnist5k"] * 7
    assert "Ranks are within a data set." in text
    assert cells(section(text, "### Ranking"))[0][0] == "dataset, latent_dim"


def test_another_prior_has_no_excess_and_no_number_in_its_place(tmp_path, undrawn, small):
    own = small["metric"].isin(["marginal_kl_excess", "marginal_kl_null", "marginal_kl_null_test"])
    rows = small.assign(value=small["value"].mask(own & (small["config"] == "base")))
    text = compose(tmp_path, rows)
    board = {row[0]: row for row in cells(section(text, "## Leaderboard"))[1]}
    assert board["`base`"][3] != "–"
    body = cells(text.split("<summary>Diagnostics</summary>")[1])[1]
    assert "2" not in [row[0] for row in body] and len(body) == 12
    kept = cells(section(text, "### Where the KL comes from"))[1]
    assert kept[0][0] == "2" and kept[0][2] != "–"


# The index


def test_the_index_lists_every_matrix_and_the_other_pages(tmp_path, undrawn, small):
    paged(tmp_path, "second", small)
    paged(tmp_path, "first", dead(small))
    (tmp_path / "validity.md").write_text("# Validity\n")
    (tmp_path / "scratch").mkdir()
    write_overviews(tmp_path)
    text = (tmp_path / "README.md").read_text()
    _, body = cells(text)
    failed = "[first](first.md), 7 configurations, 70 of 70 cells failed"
    assert [row[0] for row in body][0] == failed and body[0][1:5] == ["not bounded", *"–––"]
    assert body[1][0].startswith("[second](second.md), 7 configurations")
    assert body[1][1:] == ["not bounded", "–", "–", "–", "10"], "rows without brackets or images"
    assert "Other pages: [validity](validity.md)." in text
    again = text
    write_overviews(tmp_path)
    assert (tmp_path / "README.md").read_text() == again


def test_an_index_of_nothing(tmp_path):
    assert "No matrix has rows yet." in write_overviews(tmp_path).read_text()


def test_the_synthetic_frame_is_what_the_store_would_write(frame):
    assert set(frame["split"]) == {*INPUTS, ""} and (frame["status"] != "ok").sum() == 2
