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
from bench.report.markdown import quantity
from bench.report.markdown import titled as titled_of
from bench.report.page import pages
from bench.rows import read_rows, write_rows
from tests.bench.synthetic import INPUTS, paged, synthetic_rows
from vaelib.stats.sbc import GRID

COMMENT = "# Does the match improve with depth?\n# Cost: 2 minutes.\n"


def quilt_arrays():
    rng = np.random.default_rng(0)
    name = "base"
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
def study(results):
    """Both pages of the study of latent sizes."""
    folder = results / "synthetic"
    return "".join((folder / f"latent-size{part}.md").read_text() for part in ("", "-tables"))


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
    return whole(tmp_path)


def whole(tmp_path):
    """All pages, the answer first."""
    return "\n".join(page.text for page in pages(Results.read(tmp_path / "edge")))


def section(text, title):
    return re.split(r"^##+ ", text.split(title + "\n", 1)[1], maxsplit=1, flags=re.M)[0]


def titled(name):
    return titled_of(METRICS[name])


def cells(text):
    """Head and body of the first table of a text."""
    lines = re.search(r"(?:^\|.*\n)+", text, flags=re.M).group().splitlines()
    split = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return split[0], split[2:]


# The same bytes


def test_pages_and_figures_are_rebuilt_byte_for_byte_from_the_files(results):
    before = tree(results)
    own = 2 * 2 + 2  # two of each study, samples, how to read
    assert len(before) == 3 + 3 + own + 3 + 12, (
        "marker, stamps, pages, rows, matrix, arrays, figures"
    )
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
    paged(tmp_path, "one", rows, arrays={"base/sbc": ranks})
    text = (tmp_path / "one" / "latent-size.md").read_text()
    part = section(text, "## Is the encoder the posterior?")
    heads, lines = cells(part)
    assert heads[:3] == ["metric", "2", "3"]
    assert [row[:2] for row in lines] == [
        [titled("sbc_test"), "10 of 10"],
        [titled("sbc_scale"), "0.8 ± 0"],
    ]
    assert "SBC: simulated (" in part and "(figures/latent-size-sbc.png)" in part
    assert (tmp_path / "one" / "figures" / "latent-size-sbc.png").stat().st_size > 5000


def test_new_rows_change_the_page(tmp_path, undrawn, small):
    path = paged(tmp_path, "one", small, COMMENT)
    before = path.read_text()
    paged(tmp_path, "one", small[small["seed"] < 9])
    assert path.read_text() != before


def test_there_is_no_time_in_the_body(text):
    assert not re.search(r"\d{4}-\d\d-\d\d|\d\d:\d\d|20[2-9]\d-|seconds", text)


# What a reader finds


def test_a_page_goes_from_the_answer_to_the_reasons(text):
    heads = re.findall(r"^## (.*)$", text, flags=re.M)
    assert heads == [
        "What helps?",
        "What sampling from the prior costs",
        "Does q match p?",
        "Leaderboard",
        "More",
    ]


def test_failures_are_told_at_the_top_and_listed_below_the_leaderboard(text):
    assert "2 of 120 cells gave no result" in text.splitlines()[2]
    listed = section(text, "### Failures: 2 of 120 cells").splitlines()
    assert listed[1] == "* `latent_dim-6`, seed 3, failed: `RuntimeError: expected a | b but got c`"
    assert listed[2].endswith(", seed 7, diverged: `the loss was not finite at step 812`")
    assert text.index("## Leaderboard") < text.index("### Failures")


@pytest.mark.parametrize("name", ["synthetic.md", "synthetic/latent-size.md"])
def test_pages_fit_a_screen(results, name):
    lines = (results / name).read_text().splitlines()
    tables = [line for line in lines if line.startswith("|")]
    assert len(lines) <= 250 and max(map(len, tables)) <= 120
    assert max(len(re.findall(r"(?<!\\)\|", line)) for line in tables) <= 6 + 1


def test_all_pages_are_linked_from_the_first_and_back(results, text):
    folder = results / "synthetic"
    there = {path.name for path in folder.glob("*.md")}
    linked = set(re.findall(r"\]\(synthetic/([\w-]+\.md)\)", text))
    assert linked | {f"{name[:-3]}-tables.md" for name in linked} >= there and linked <= there
    for name in there:
        page = (folder / name).read_text()
        assert name == "columns.md" or "[synthetic](../synthetic.md)" in page
        for link in re.findall(r"\]\(([\w./-]+)\)", page):
            assert (folder / link).resolve().is_file(), (name, link)


def test_the_page_opens_with_its_answer_and_then_quotes_the_question(text, frame):
    lines = text.splitlines()
    assert lines[0] == "# synthetic"
    assert lines[2] == f"**{answer(frame)}**"
    assert lines[4] == cost(Results("synthetic", frame)) and lines[4].startswith(
        "Sampling from the prior instead of"
    )
    assert "> Does the match improve with depth?" in lines
    assert "Cost: 2 minutes" not in text, "what some run took is not what this one did"
    took = frame.drop_duplicates(["config", "seed"])["seconds"].sum() / 3600
    assert lines[-1].endswith(f"120 cells, which took {took:.2g} hours one after another.")


def test_every_table_has_whole_rows(text):
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.M):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(counts) == 1
    assert "nan" not in text and "inf" not in text.replace("information", "").replace("finite", "")


def test_pictures_exist_and_are_linked_from_beside_the_folder(results, text):
    linked = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(linked) == 4 and all((results / link).is_file() for link in linked)
    told = {results / link for link in linked}
    for page in (results / "synthetic").glob("*.md"):
        links = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text())
        told |= {page.parent / link for link in links}
    assert told == set(results.glob("synthetic/figures/*"))


def test_the_leaderboard_holds_samples_and_cost_in_the_order_of_the_samples(text, frame):
    board = section(text, "## Leaderboard")
    assert "On test inputs, in the order of the mean Fréchet (prior)." in board
    heads, body = cells(board)
    quality = f"Fréchet (prior) {METRICS['frechet'].arrow}"
    assert heads == ["configuration", quality, "rank", "cost of the prior", titled("elbo")]
    ranked = ranking(frame, METRICS["frechet"], "test", "prior")
    costs = between_sources(frame, "frechet", "prior", "aggregate")
    assert len(body) == len(ranked) == 12
    for row, (config, best) in zip(body, ranked.iterrows(), strict=True):
        assert row[0] == f"`{config}`"
        assert row[1].strip("*") == quantity(best["mean"], best["half_width"])
        assert row[1].startswith("**") == best["tie"]
        low, high = best["rank_low"], best["rank_high"]
        assert row[2] == (f"{low}" if low == high else f"{low}–{high}")
        assert row[3] == quantity(*map(float, t_interval(costs[config].to_numpy())))
    assert "S = 10 seeds, but" in board and "`encoder_hidden-1000` 9" in board
    assert "Units: Fréchet: share of trace(cov real); ELBO: nats per input." in board


def test_what_cannot_be_compared_across_dimensions_is_shown_and_not_ranked(study, results):
    said = "because the latent dimension D changes it at one and the same KL, and here are 7 values"
    assert f"Shown but not ranked, {said} of D: gain, moment KL, MMD², classifier AUC." in study
    assert "Shown but not ranked" not in (results / "synthetic" / "encoder-depth.md").read_text()
    distances = cells(study.split("## Distance between z of q and z of the prior")[1])
    assert "**" not in str(distances)


def test_a_page_says_which_interval_it_shows(text):
    board = section(text, "## Leaderboard")
    assert leaderboard.INTERVAL in board
    assert "over all training seeds on these data; sampling other images adds" in board


def test_the_matrix_has_the_say_on_the_order(tmp_path, undrawn, frame):
    file = '[matrix]\nname = "edge"\norder = "reconstruction"\n'
    write_rows(tmp_path / "edge" / "rows.csv", frame)
    (tmp_path / "edge" / "matrix.toml").write_text(file)
    text = whole(tmp_path)
    heads, body = cells(section(text, "## Leaderboard"))
    assert heads[1:3] == [titled("reconstruction"), "rank"]
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
    assert heads[:3] == ["configuration", "collapsed seeds", "Fréchet (prior) ↓"]
    assert "rank" not in heads and len(body) == 1
    assert body[0][:2] == ["`latent_dim-32`", "10 of 10"] and "**" not in str(body)
    ranked = section(dead, "## Ranking")
    assert "Collapsed: 32." in ranked and "32" not in [row[0] for row in cells(ranked)[1]]
    elbo = METRICS["elbo"]
    assert rankings(frame, elbo, "test").index[0] == "latent_dim-32"
    assert "latent_dim-32" not in rankings(collapsed(frame, 10), elbo, "test").index


def test_a_page_counts_the_seeds_that_collapsed(tmp_path, undrawn, frame):
    some = compose(tmp_path, collapsed(frame, 4))
    assert "### Collapsed" not in some
    said = "Collapsed, and counted in the means: 4 of 10 seeds of `latent_dim-32`."
    assert said in section(some, "## Leaderboard") and said in section(some, "## Ranking")
    assert "5 of 10" in section(compose(tmp_path, collapsed(frame, 5)), "### Collapsed")


def test_a_page_of_dead_models_alone_ranks_nobody(tmp_path, undrawn, frame):
    rows = frame[frame["config"] == "base"]
    text = compose(tmp_path, collapsed(rows, 10, "base"))
    assert "`base`" in section(text, "### Collapsed")
    assert "`base`" not in section(text, "## Leaderboard").split("### ")[0]


def test_saturated_configurations_are_marked_bracketed_and_explained(study, text):
    diagnostics = section(study, "## Diagnostics")
    heads, body = cells(diagnostics)
    assert [row[0] for row in body[:2]] == [
        titled("marginal_kl_null"),
        titled("marginal_kl_excess"),
    ]
    every = [line for line in diagnostics.splitlines() if line.startswith("| metric")]
    levels = [cell.strip() for line in every for cell in line.split("|")[2:-1]]
    assert levels == ["2", "3", "4", "6 †", "8 †", "16 †", "32 †"]
    excess = [line for line in diagnostics.splitlines() if titled("marginal_kl_excess") in line]
    values = [cell.strip() for line in excess for cell in line.split("|")[2:-1]]
    assert [value.startswith("[") for value in values] == [level.endswith("†") for level in levels]
    assert "bounded below by the floor" in diagnostics and "it decides nothing" in diagnostics
    assert "†" not in section(text, "## Leaderboard")


def joined(text, title):
    """Heads and lines of a table that stands in several parts: line -> its cells."""
    parts = [
        [[c.strip() for c in line.split("|")[1:-1]] for line in block.splitlines()]
        for block in re.findall(r"(?:^\|.*\n)+", section(text, title), flags=re.M)
    ]
    rows = [sum((part[k][1:] for part in parts), []) for k in range(len(parts[0]))]
    return rows[0], {parts[0][k][0]: row for k, row in enumerate(rows) if k > 1}


def test_studies_show_every_level_and_both_splits_of_what_differs(study, frame):
    heads, lines = joined(study, "## Where the KL comes from")
    names = ["rate", "mutual_information", "marginal_kl_floor", "marginal_kl", "saturated"]
    both = [(titled(name), f"{titled(name)} (train)") for name in names]
    assert list(lines) == [told for pair in both for told in pair]
    assert [head.removesuffix(" †") for head in heads] == ["2", "3", "4", "6", "8", "16", "32"]
    for split, told in (("test", ""), ("train", " (train)")):
        board = summarise(frame, "rate", split).loc["latent_dim-6"]
        assert lines[titled("rate") + told][3] == quantity(board["mean"], board["half_width"])
    assert heads[3] == "6 †", "saturated on test, not on train"
    assert lines["saturated"][3] == "9 of 9" and lines["saturated (train)"][3] == "0 of 9"
    tests = joined(study, "## Diagnostics")[1][titled("marginal_kl_null_test")]
    assert tests[3] == "[0 of 9]" and not any("(train)" in line for line in tests)


def test_samples_are_listed_by_source(study):
    heads, lines = joined(study, "## Samples by latent source")
    distance, coverage = titled("frechet"), titled("coverage")
    named = [f"{distance} ({source})" for source in ("prior", "aggregate", "gmm")]
    assert list(lines) == [*named, f"{coverage} (prior)"]
    _, rest = joined(study, "## Samples of q(z) and of the fitted density")
    assert list(rest) == [f"{coverage} (aggregate)"]


def test_the_gauge_fix_has_its_own_table(study, frame):
    heads, lines = joined(study, "## After the gauge fix")
    assert list(lines) == [titled("rate"), titled("marginal_kl_excess")] and len(heads) == 7
    board = summarise(frame, "rate", "test", "gauge_fixed").loc["base"]
    assert lines[titled("rate")][0] == quantity(board["mean"], board["half_width"])


def test_what_was_said_of_a_number_is_passed_on(tmp_path, undrawn, small):
    touched = small["metric"].isin(["marginal_kl_null", "marginal_kl_excess"])
    wide = small["config"].isin(["latent_dim-3", "base"]) & touched
    note = "the scale depends on the place, which its null assumes it does not"
    text = compose(tmp_path, small.assign(message=small["message"].mask(wide, note)))
    assert f"* null KL, excess given scale (diagnostic): {note} (2; 3)" in section(
        text, "## Diagnostics"
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


def test_the_leaderboard_leads_to_the_studies_of_each_configuration(results, text):
    link = re.search(
        r"\]\((synthetic/columns\.md)#configurations\)", section(text, "## Leaderboard")
    )
    assert "## Configurations\n" in (results / link[1]).read_text()


def test_the_columns_are_explained_in_the_order_of_the_metrics(results):
    explained = (results / "synthetic" / "columns.md").read_text().split("## The columns")[1]
    symbols = re.findall(r"^\* \*\*(.*?)\*\* \(", explained, flags=re.M)
    known = [metric.symbol for metric in METRICS.values()]
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
    line = section(text, "### Not run yet").strip()
    assert line.startswith(f"{count} configurations: `") and "gave no result" not in text
    assert "Failures" not in text and "latent_dim-" not in text.replace(line, "")
    results = Results.read(tmp_path / "edge")
    assert f"[edge](edge.md), 1 of {count + 1} run |" in index([results], [], {}, "")


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_page_of_few_seeds_says_so(tmp_path, undrawn, small, seeds):
    text = compose(tmp_path, small[small["seed"] < seeds])
    assert text.count("S ≤ 4: too few seeds for a claim.") == 2
    board = cells(section(text, "## Leaderboard"))[1]
    assert all(row[2] == "1–7" for row in board) and "**" not in str(board)
    assert ("±" in board[0][1]) == (seeds > 1)


def test_a_matrix_without_studies_still_shows_its_measurements(tmp_path, undrawn, frame):
    text = compose(tmp_path, frame[frame["config"] == "base"].assign(study=""))
    heads, lines = joined(text, "## Where the KL comes from")
    assert heads == ["base"] and {titled("rate"), f"{titled('rate')} (train)"} <= set(lines)


def test_an_empty_matrix(tmp_path, undrawn, frame):
    text = compose(tmp_path, frame.head(0))
    assert "**No cell was run.**" in text and "0 configurations, 0 cells" in text


def test_two_data_sets_are_told_apart(tmp_path, undrawn, small):
    other = small.assign(dataset="mnist5k", config=small["config"] + "-m")
    text = compose(tmp_path, pd.concat([small, other]))
    board = section(text, "## Leaderboard")
    first, second = board.split("**mnist5k**")
    assert "**digits**" in first and "Ranks are within a data set." in board
    assert len(cells(first)[1]) == len(cells(second)[1]) == 7
    assert all(row[0].endswith("-m`") for row in cells(second)[1])
    assert cells(section(text, "## Ranking"))[0][0] == "dataset, latent_dim"


def test_another_prior_has_no_excess_and_no_number_in_its_place(tmp_path, undrawn, small):
    own = small["metric"].isin(["marginal_kl_excess", "marginal_kl_null", "marginal_kl_null_test"])
    rows = small.assign(value=small["value"].mask(own & (small["config"] == "base")))
    text = compose(tmp_path, rows)
    heads, lines = joined(text, "## Diagnostics")
    assert heads[0] == "2" and {row[0] for row in lines.values()} == {"–"}
    assert all("–" not in row[1:3] for row in lines.values())
    heads, kept = joined(text, "## Where the KL comes from")
    assert heads[0] == "2" and "–" not in kept[titled("marginal_kl")]


# The index


def test_the_index_lists_every_matrix_and_the_other_pages(tmp_path, undrawn, small):
    paged(tmp_path, "second", small)
    paged(tmp_path, "first", dead(small))
    (tmp_path / "validity.md").write_text("# Validity\n")
    (tmp_path / "scratch").mkdir()
    write_overviews(tmp_path)
    text = (tmp_path / "README.md").read_text()
    _, body = cells(text)
    failed = "[first](first.md), 70 of 70 cells failed"
    assert [row[0] for row in body][0] == failed and body[0][1:] == ["not bounded", *"––––"]
    assert body[1][0] == "[second](second.md), 1 of 70 cells failed"
    assert body[1][1:] == ["not bounded", *"––––"], "rows without brackets or images"
    assert "Other pages: [validity](validity.md)." in text
    again = text
    write_overviews(tmp_path)
    assert (tmp_path / "README.md").read_text() == again


def test_an_index_of_nothing(tmp_path):
    assert "No matrix has rows yet." in write_overviews(tmp_path).read_text()


def test_the_synthetic_frame_is_what_the_store_would_write(frame):
    assert set(frame["split"]) == {*INPUTS, ""} and (frame["status"] != "ok").sum() == 2
