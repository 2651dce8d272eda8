"""The quilt holds the numbers it was made from, and equal numbers give equal bytes."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from bench.report.figures.quilt import latent_quilt, log_density
from bench.report.figures.style import save
from vaelib.numerics import log_sum_exp


def posterior(count=40, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (count, 2)), rng.uniform(0.05, 0.5, (count, 2))


@pytest.mark.parametrize("tile", [7, 1 << 20])
def test_log_density_is_the_mixtures(tile, monkeypatch):
    monkeypatch.setattr(log_sum_exp, "_TILE", tile)
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


def test_colours_are_pale_where_neither_has_density():
    mean, scale = np.array([[4.0, 0.0]] * 3), np.full((3, 2), 0.5)
    image = latent_quilt(mean, scale).axes[2].images[0]
    left, right, *_ = image.get_extent()
    axis = np.linspace(left, right, image.get_array().shape[0])
    at = {
        (x, y): image.get_alpha()[np.abs(axis - y).argmin(), np.abs(axis - x).argmin()]
        for x, y in [(0, 0), (0, 2.4), (4, 0), (-4, 3), (4, 4)]
    }
    assert at[0, 0] == at[0, 2.4] == at[4, 0] == 1, "where the prior lives, and where q does"
    assert at[-4, 3] == at[4, 4] == 0.15


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
