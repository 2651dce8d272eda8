"""Pictures hold the numbers they were made from, and equal numbers give equal bytes."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure

from bench.analysis.levels import levels
from bench.analysis.replicates import saturated, summarise
from bench.metrics.registry import METRICS
from bench.report.figures.studies import kl_parts, metric_panels
from bench.report.figures.style import save
from tests.bench.synthetic import INPUTS, LAYERS, SIZES, synthetic_frame


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    return synthetic_frame(tmp_path_factory.mktemp("rows"))


@pytest.fixture(scope="module")
def sizes(frame):
    return frame[frame["study"].str.contains("latent size")]


@pytest.fixture(scope="module")
def depths(frame):
    return frame[frame["study"].str.contains("encoder depth")]


# Levels


def test_levels_come_in_their_natural_order(sizes, depths, frame):
    assert list(levels(sizes).values()) == [str(size) for size in SIZES]
    assert list(levels(depths).values()) == LAYERS[:2] + [
        "1000",
        "200-200",
        "500-500",
        *LAYERS[3:4],
    ]
    assert levels(sizes)["base"] == "2" and levels(depths)["base"] == "200-200"
    assert levels(frame)["latent_dim-8"] == "8, 200-200"
    assert levels(frame[frame["config"] == "base"]) == {"base": "base"}


def test_levels_without_numbers_keep_the_order_of_the_rows(sizes):
    renamed = sizes.assign(prior=sizes["latent_dim"].map(lambda d: "vamp" if d == 2 else "normal"))
    assert list(levels(renamed.drop(columns="latent_dim")).values())[0] == "vamp"
    negative = sizes.assign(latent_dim=-sizes["latent_dim"] / 4)
    assert list(levels(negative).values())[:2] == ["-8", "-4"]


# Metrics against the varied factor


def panels(rows, *names):
    return metric_panels(rows, [METRICS[name] for name in names])


def bars(axes, kind=ErrorbarContainer):
    return [one for one in axes.containers if isinstance(one, kind)]


def test_long_labels_break_between_words(sizes):
    label = "mixture components=50 spread=0.5 of, 200-200"
    named = sizes.assign(prior=sizes["latent_dim"].map(lambda d: label if d == 8 else "normal"))
    for figure in (panels(named, "elbo"), kl_parts(named)):
        axes = figure.axes[0]
        texts = [t.get_text() for t in [*axes.get_xticklabels(), *axes.get_yticklabels()]]
        (found,) = [text for text in texts if "mixture" in text]
        assert " ".join(found.split("\n")) in (f"8, {label}", label)
        assert max(map(len, found.split("\n"))) <= 28


def test_panels_show_means_intervals_and_every_seed(depths):
    figure = panels(depths, "elbo", "rate")
    assert len(figure.axes) == 2
    axes = figure.axes[0]
    order = list(levels(depths))
    drawn = [one for one in bars(axes) if len(one[0].get_ydata())]
    assert len(drawn) == 2
    for one, split in zip(drawn, ["test", "train"], strict=True):
        board = summarise(depths, "elbo", split).loc[order]
        assert one[0].get_ydata() == pytest.approx(board["mean"])
        ends = np.array([segment[:, 1] for segment in one[2][0].get_segments()])
        assert ends[:, 1] - ends[:, 0] == pytest.approx(2 * board["half_width"])
    points = [line for line in axes.lines if line.get_marker() == "."]
    shown = sum(np.isfinite(line.get_ydata()).sum() for line in points)
    assert shown == 2 * (6 * 10 - 1), "every seed but the diverged one, on both splits"
    assert [text.get_text() for text in axes.get_xticklabels()] == list(levels(depths).values())


def test_train_and_test_are_told_apart(sizes):
    figure = panels(sizes, "rate")
    drawn = [one[0] for one in bars(figure.axes[0]) if len(one[0].get_ydata())]
    assert len({to_hex(line.get_color()) for line in drawn}) == 2
    assert len({line.get_marker() for line in drawn}) == 2
    assert (drawn[0].get_xdata() < drawn[1].get_xdata()).all()
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[:2] == ["test", "train"]


def test_saturated_configurations_are_hollow_where_it_matters(sizes):
    excess, rate = panels(sizes, "marginal_kl_excess", "rate").axes
    hollow = [one[0] for one in bars(excess) if one[0].get_markerfacecolor() == "white"]
    count = sum(len(line.get_ydata()) for line in hollow)
    assert count == sum(len(saturated(sizes, split)) for split in INPUTS) == 6
    faces = [one[0].get_markerfacecolor() for one in bars(rate) if len(one[0].get_ydata())]
    assert "white" not in faces


def test_geometric_levels_stand_on_a_log_axis_others_do_not(sizes, depths):
    wide = panels(sizes, "rate")
    assert np.exp(wide.axes[0].get_xticks()) == pytest.approx(SIZES)
    assert "log scale" in wide.get_supxlabel()
    even = sizes[sizes["latent_dim"].isin([2, 4, 6, 8])]
    flat = panels(even, "rate")
    assert flat.axes[0].get_xticks().tolist() == [2, 4, 6, 8]
    assert "log" not in flat.get_supxlabel()
    assert panels(depths, "rate").axes[0].get_xticks().tolist() == list(range(6))


def test_the_value_of_a_match_is_drawn_only_where_there_is_one(sizes):
    excess, rate = panels(sizes, "marginal_kl_excess", "rate").axes
    assert [line.get_ydata()[0] for line in excess.lines if line.get_linestyle() == ":"] == [0]
    assert not [line for line in rate.lines if line.get_linestyle() == ":"]


def test_one_split_alone_and_one_seed_can_be_drawn(sizes, tmp_path):
    half = sizes[(sizes["split"] != "train") & (sizes["seed"] == 0)]
    figure = panels(half, "marginal_kl_excess", "rate", "elbo")
    save(figure, tmp_path / "half.png")
    assert len([one for one in bars(figure.axes[1]) if len(one[0].get_ydata())]) == 1
    save(kl_parts(half), tmp_path / "kl.png")
    assert len(kl_parts(half).axes) == 1


# Where the KL comes from


def test_bars_add_up_to_the_raw_kl(sizes):
    figure = kl_parts(sizes)
    order = list(levels(sizes))
    for axes, split in zip(figure.axes, ["test", "train"], strict=True):
        assert split in axes.get_title("left")
        null, *parts = bars(axes, BarContainer)
        widths = [bar.get_width() for bar in null]
        assert widths == pytest.approx(summarise(sizes, "marginal_kl_null", split)["mean"][order])
        (raw,) = bars(axes)
        ends = sorted(bar.get_x() + bar.get_width() for part in parts for bar in part)
        assert ends == pytest.approx(sorted(raw[0].get_xdata()))
        assert max(ends) < axes.get_xlim()[1] and axes.get_xlim()[0] == 0


def test_saturated_excess_is_hatched_and_a_positive_floor_is_drawn(sizes):
    axes = kl_parts(sizes).axes[0]
    hatched = [bar for part in bars(axes, BarContainer) for bar in part if bar.get_hatch()]
    assert len(hatched) == len(saturated(sizes, "test"))
    floor = summarise(sizes, "marginal_kl_floor", "test")["mean"]
    lines = [one for one in axes.collections if one.get_label().startswith("floor")]
    drawn = [segment[0, 0] for segment in lines[0].get_segments()]
    assert drawn == pytest.approx(floor[floor > 0])


def test_a_negative_excess_has_its_own_colour(depths):
    lower = depths.copy()
    chosen = (lower["metric"] == "marginal_kl_excess") & (lower["config"] == "base")
    lower.loc[chosen, "value"] = -0.1
    labels = {part.get_label() for part in bars(kl_parts(lower).axes[0], BarContainer)}
    assert {"raw KL below the null", "excess over the null"} <= labels
    assert isinstance(kl_parts(lower), Figure)
