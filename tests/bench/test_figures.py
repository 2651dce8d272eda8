"""Pictures hold the numbers they were made from, and equal numbers give equal bytes."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure
from scipy import stats
from scipy.special import logsumexp

from bench.analysis import read_rows, saturated, summarise
from bench.figures import kl_parts, latent_quilt, levels, log_density, metric_panels, save
from bench.rows import write_rows
from tests.bench.synthetic import INPUTS, LAYERS, SIZES, synthetic_rows
from vaelib import log_sums


@pytest.fixture(scope="module")
def frame(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    write_rows(path, synthetic_rows())
    return read_rows(path)


@pytest.fixture(scope="module")
def sizes(frame):
    return frame[frame["study"].str.contains("latent size")]


@pytest.fixture(scope="module")
def depths(frame):
    return frame[frame["study"].str.contains("encoder depth")]


def posterior(count=40, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (count, 2)), rng.uniform(0.05, 0.5, (count, 2))


# Density and bytes


@pytest.mark.parametrize("tile", [7, 1 << 20])
def test_log_density_is_the_mixtures(tile, monkeypatch):
    monkeypatch.setattr(log_sums, "_TILE", tile)
    mean, scale = posterior()
    scale[0] = 1e-4
    points = np.concatenate([np.random.default_rng(1).normal(0, 2, (50, 2)), mean[:1], [[60, 60]]])
    each = stats.norm.logpdf(points[:, None], mean, scale).sum(-1)
    expected = logsumexp(each, axis=1) - np.log(len(mean))
    assert log_density(points, mean, scale) == pytest.approx(expected, rel=1e-9, abs=1e-7)


def test_equal_figures_give_equal_bytes_without_time_or_software(tmp_path):
    for name in ("one.png", "two.png"):
        save(latent_quilt(*posterior(), np.arange(40) % 3), tmp_path / "new" / name)
    one, two = ((tmp_path / "new" / name).read_bytes() for name in ("one.png", "two.png"))
    assert one == two and one.startswith(b"\x89PNG")
    assert not any(chunk in one for chunk in (b"tEXt", b"iTXt", b"tIME", b"atplotlib"))
    other = posterior(seed=1)
    save(latent_quilt(*other), tmp_path / "other.png")
    assert (tmp_path / "other.png").read_bytes() != one


def test_the_width_suits_a_page(tmp_path):
    from matplotlib.image import imread

    save(latent_quilt(*posterior()), tmp_path / "quilt.png")
    assert imread(tmp_path / "quilt.png").shape[1] == 1280


# The quilt


def test_log_ratio_vanishes_where_the_aggregate_is_the_prior():
    figure = latent_quilt(np.zeros((5, 2)), np.ones((5, 2)))
    (image,) = figure.axes[2].images
    assert np.abs(image.get_array()).max() < 1e-12
    assert image.get_clim() == (-3, 3), "the colours are centred at 0"


def test_log_ratio_stands_where_it_belongs():
    mean, scale = np.array([[1.5, -0.5]] * 3), np.full((3, 2), 0.2)
    image = latent_quilt(mean, scale).axes[2].images[0]
    values, (left, right, bottom, top) = image.get_array(), image.get_extent()
    row, column = np.unravel_index(values.argmax(), values.shape)
    count = values.shape[0] - 1
    assert left + (right - left) * column / count == pytest.approx(1.5 / (1 - 0.04), abs=0.05)
    assert bottom + (top - bottom) * row / count == pytest.approx(-0.5 / (1 - 0.04), abs=0.05)
    assert image.origin == "lower"
    peak = -2 * np.log(0.2) + (1.5**2 + 0.5**2) / 2 / (1 - 0.04)
    assert values.max() == pytest.approx(peak, abs=0.02)


def test_panels_share_their_axes_and_labels_are_written_at_their_medians():
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], 200)
    mean = np.where(labels == "a", -2.0, 2.0)[:, None] + rng.normal(0, 0.1, (400, 2))
    figure = latent_quilt(mean, np.full((400, 2), 0.1), labels)
    left, middle, right = figure.axes[:3]
    assert left.get_xlim() == middle.get_xlim() == right.get_xlim() == left.get_ylim()
    where = {text.get_text(): text.get_position() for text in left.texts}
    assert where["a"] == pytest.approx((-2, -2), abs=0.1)
    assert where["b"] == pytest.approx((2, 2), abs=0.1)
    colours = left.collections[0].get_facecolor()
    assert len(np.unique(colours, axis=0)) == 2
    assert len(left.collections[0].get_offsets()) == len(middle.collections[0].get_offsets()) == 400


def test_too_many_labels_are_left_out():
    figure = latent_quilt(*posterior(), np.arange(40))
    assert not figure.axes[0].texts
    assert len(np.unique(figure.axes[0].collections[0].get_facecolor(), axis=0)) == 1


@pytest.mark.parametrize("shape", [(4, 3), (4,), (0,)])
def test_only_two_dimensions_have_a_quilt(shape):
    with pytest.raises(ValueError, match=r"shape \(N, 2\), got"):
        latent_quilt(np.zeros(shape), np.ones(shape))


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


def bars(axes, kind=ErrorbarContainer):
    return [one for one in axes.containers if isinstance(one, kind)]


def test_long_labels_break_between_words(sizes):
    label = "mixture components=50 spread=0.5 of, 200-200"
    named = sizes.assign(prior=sizes["latent_dim"].map(lambda d: label if d == 8 else "normal"))
    for figure in (metric_panels(named, ["elbo"]), kl_parts(named)):
        axes = figure.axes[0]
        texts = [t.get_text() for t in [*axes.get_xticklabels(), *axes.get_yticklabels()]]
        (found,) = [text for text in texts if "mixture" in text]
        assert " ".join(found.split("\n")) in (f"8, {label}", label)
        assert max(map(len, found.split("\n"))) <= 28


def test_panels_show_means_intervals_and_every_seed(depths):
    figure = metric_panels(depths, ["elbo", "rate"])
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
    figure = metric_panels(sizes, ["rate"])
    drawn = [one[0] for one in bars(figure.axes[0]) if len(one[0].get_ydata())]
    assert len({to_hex(line.get_color()) for line in drawn}) == 2
    assert len({line.get_marker() for line in drawn}) == 2
    assert (drawn[0].get_xdata() < drawn[1].get_xdata()).all()
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[:2] == ["test", "train"]


def test_saturated_configurations_are_hollow_where_it_matters(sizes):
    excess, rate = metric_panels(sizes, ["marginal_kl_excess", "rate"]).axes
    hollow = [one[0] for one in bars(excess) if one[0].get_markerfacecolor() == "white"]
    count = sum(len(line.get_ydata()) for line in hollow)
    assert count == sum(len(saturated(sizes, split)) for split in INPUTS) == 6
    faces = [one[0].get_markerfacecolor() for one in bars(rate) if len(one[0].get_ydata())]
    assert "white" not in faces


def test_geometric_levels_stand_on_a_log_axis_others_do_not(sizes, depths):
    wide = metric_panels(sizes, ["rate"])
    assert np.exp(wide.axes[0].get_xticks()) == pytest.approx(SIZES)
    assert "log scale" in wide.get_supxlabel()
    even = sizes[sizes["latent_dim"].isin([2, 4, 6, 8])]
    flat = metric_panels(even, ["rate"])
    assert flat.axes[0].get_xticks().tolist() == [2, 4, 6, 8]
    assert "log" not in flat.get_supxlabel()
    assert metric_panels(depths, ["rate"]).axes[0].get_xticks().tolist() == list(range(6))


def test_the_value_of_a_match_is_drawn_only_where_there_is_one(sizes):
    excess, rate = metric_panels(sizes, ["marginal_kl_excess", "rate"]).axes
    assert [line.get_ydata()[0] for line in excess.lines if line.get_linestyle() == ":"] == [0]
    assert not [line for line in rate.lines if line.get_linestyle() == ":"]


def test_one_split_alone_and_one_seed_can_be_drawn(sizes, tmp_path):
    half = sizes[(sizes["split"] != "train") & (sizes["seed"] == 0)]
    figure = metric_panels(half, ["marginal_kl_excess", "rate", "elbo"])
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
