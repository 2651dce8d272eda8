"""What sampling from the prior costs, in worlds where it is known: features, parts, words."""

import pytest
import torch
from torch.distributions import Normal as Bell

from vaelib import price
from vaelib.priors import Normal, Prior
from vaelib.samples.judging import judged_in
from vaelib.samples.priced import Price
from vaelib.stats.jackknife import Estimate
from vaelib.stats.paired_frechet import Difference


def world(count, seed, spread=0.8, noise=0.6, d=2):
    """Posteriors whose aggregate is N(0, spread² + noise²), and data that are those z."""
    generator = torch.Generator().manual_seed(seed)
    mean = spread * torch.randn(count, d, generator=generator, dtype=torch.float64)
    x = mean + noise * torch.randn(count, d, generator=generator, dtype=torch.float64)
    return mean, torch.full_like(mean, noise), x


@pytest.fixture
def quick(monkeypatch):
    """No density is fitted, which takes a second."""
    from vaelib.samples import price as module

    def refuse(latents):
        raise ValueError("left out")

    monkeypatch.setitem(module.LATENT_SOURCES, "repaired", refuse)


@pytest.mark.parametrize(("factor", "truth"), [(1.0, 0.0), (0.5, 1.0), (2.0, 0.25)])
def test_the_identity_costs_what_the_closed_form_says(quick, factor, truth):
    """Data N(0, f²) in both dimensions: N(0, I) lies (1 - f)²/f² of their variance from them."""
    mean, scale, x = (factor * part for part in world(800, 0))
    *held, held_x = (factor * part for part in world(1600, 1))
    found = price(lambda z: z, mean, scale, x, held, held_x)
    assert found.count == 800 and found.features == "2 principal components of the data"
    assert found.cost.low <= truth <= found.cost.high
    assert found.cost.high - found.cost.low < 0.05 + truth
    assert found.distances["aggregate"].value == pytest.approx(0, abs=0.03)
    seen = found.sentence.startswith("Sampling from N(0, I) costs 0")
    assert seen == (truth > 0) == ("No cost of sampling" not in found.sentence)
    assert found.repair == "No density was fitted to sample from instead: left out."
    assert [row.value for row in found.rows if row.source == "repaired"] == [None]


def test_a_fitted_density_gives_the_cost_back():
    mean, scale, x = (0.5 * part for part in world(600, 0))
    held = tuple(0.5 * part for part in world(800, 1))
    found = price(lambda z: z, mean, scale, x, held[:2], held[2])
    assert found.back.low > 0 and abs(found.distances["repaired"].value) < 0.1
    assert "sampled instead, gives back" in found.repair
    again = price(lambda z: z, mean, scale, x, held[:2], held[2])
    assert again.cost == found.cost and again.back == found.back
    assert {row.source for row in found.rows} == set(found.distances)
    assert str(found).splitlines()[0] == found.sentence
    other = price(lambda z: z, mean, scale, x, held[:2], held[2], seed=1)
    assert other.cost != found.cost


def test_models_without_a_price_say_so(quick):
    mean, scale, x = world(500, 0)
    flat = price(lambda z: z, 0.01 * mean, torch.ones_like(mean), x)
    assert "no latent dimension is active" in flat.sentence and "costs" not in flat.sentence
    assert flat.repair == "" and flat.document()["meaningless"]
    same = price(lambda z: 0 * z, mean, scale, x)
    assert "the decoder returns the same x for every z" in same.sentence
    logits = price(lambda z: 30 * z, mean, scale, x)
    assert "other numbers than the data are made of" in logits.sentence
    assert "outside the range of the real data" in logits.notes[-1]
    assert all("says nothing" in row.message for row in same.rows if row.value is not None)


def test_parts_are_told_and_orders_are_checked(quick):
    (mean, scale, x), held = world(500, 0, noise=0.2), world(500, 1, noise=0.2)
    alone = price(lambda z: z, mean, scale, x)
    assert alone.split == "train" and alone.count == 166
    assert alone.notes[0].startswith("these are inputs that the model was trained on")
    thirds = price(lambda z: z, mean, scale, None, held[:2], held[2])
    assert (thirds.split, thirds.count, thirds.notes) == ("test", 166, ())
    points = price(lambda z: z, x, None, x, (held[2], 0 * held[2]), held[2])
    assert (points.split, points.count) == ("test", 250)
    mixed = price(lambda z: z, mean, scale, x.flip(0))
    assert "no closer to their own input than to another one" in mixed.notes[-1]


def test_labels_make_classifiers_and_counts_logarithms(quick):
    x = torch.randn(400, 3, generator=torch.Generator().manual_seed(0))
    labels = (x[:, 0] > 0).long()
    found = judged_in("auto", x, labels, 20)
    assert found.count == 20 and found.of(x[:9]).shape == (3, 9, 20)
    assert "20 principal components of the 32 features of each of 3 small" in found.said
    wide = judged_in("classifier", x.repeat(1, 500), labels, 64)
    assert wide.count == 32 and wide.of(x.repeat(1, 500)[:9]).shape == (3, 9, 32)
    assert judged_in("auto", x, torch.arange(400), 20).said == "3 principal components of the data"
    counts = judged_in("auto", (x.exp() * 9).round(), None, 20)
    assert counts.said == "3 principal components of log(1 + counts)"
    for wrong, got in ((None, "none"), (0 * labels, "one class"), (torch.arange(400), "400 diff")):
        with pytest.raises(ValueError, match=f"two classes or more, got {got}"):
            judged_in("classifier", x, wrong, 20)
    with pytest.raises(ValueError, match="log1p is for counts, got a least value of -"):
        judged_in("log1p", x, None, 20)
    with pytest.raises(ValueError, match="the real data must vary"):
        judged_in("pca", 0 * x, None, 20)


@pytest.mark.parametrize("rows", [50, 500])
def test_components_are_those_of_the_covariance(rows):
    """More rows than columns, or fewer: both agree with the singular value decomposition."""
    x = torch.randn(rows, 120, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 121)
    found = judged_in("pca", x, None, 5).of(x)[0]
    offset = (x - x.mean(0)).double()
    u, s, _ = torch.linalg.svd(offset, full_matrices=False)
    torch.testing.assert_close(found.abs(), (u[:, :5] * s[:5]).abs(), rtol=1e-4, atol=1e-3)


def test_own_features_are_evaluated_and_shortened(quick):
    (mean, scale, x), held = world(400, 0), world(400, 1)
    layer = torch.nn.Sequential(torch.nn.Linear(2, 99), torch.nn.ReLU(), torch.nn.Dropout())
    found = price(lambda z: Bell(z, 1.0), mean, scale, x, held[:2], held[2], features=layer)
    assert found.features == "40 principal components of 99 own features" and layer[2].training
    few = price(lambda z: z, mean, scale, x, held[:2], held[2], features=lambda x: x[:, :1])
    assert few.features == "1 own features"


class Unsampled(Normal):
    sample = Prior.sample


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"images": None}, "images must hold the data that mean is of, got none"),
        (
            {"images": torch.zeros(3, 2)},
            r"images must have .* each of the 500 rows of mean.*\(3, 2\)",
        ),
        (
            {"heldout": world(9, 1)},
            "heldout must be mean and scale .*, got 3 parts; their data are",
        ),
        ({"heldout": 3}, "heldout must be mean and scale .*, got int"),
        ({"heldout": world(400, 1)[:2]}, "heldout_images must hold the data that heldout is of"),
        ({"heldout_images": torch.zeros(3, 2)}, "heldout_images go with heldout, mean and scale"),
        (
            {"heldout": world(300, 1)[:2], "heldout_images": world(300, 1)[2]},
            "at least 320 held-out inputs, 160 for each of 2 parts, got 300",
        ),
        (
            {"heldout": world(400, 1, d=3)[:2], "heldout_images": torch.zeros(400, 2)},
            r"mean of heldout must have shape \(n, 2\) like that",
        ),
        (
            {"heldout": world(400, 1)[:2], "heldout_images": torch.zeros(400, 3)},
            r"heldout_images must have shape \(n, 2\) like that",
        ),
        ({"labels": torch.zeros(3).long()}, r"labels must be integers of shape \(500,\)"),
        ({"features": "inception"}, "features must be one of auto, classifier, pca, log1p or a fu"),
        ({"prior": Unsampled(2)}, "prior must have a sample to price, got Unsampled without"),
        ({"prior": "flow"}, "prior must be one of normal, uniform or a trained Prior"),
        (
            {"decoder": lambda z: z[:, :1]},
            r"return x of shape \(n, 2\) like the real ones, got \(n, 1\)",
        ),
        ({"scale": torch.zeros(2, 2)}, "mean and scale must have the same shape"),
    ],
)
def test_what_cannot_be_priced_is_one_sentence(quick, change, said):
    mean, scale, x = world(500, 0)
    given = {"decoder": lambda z: z, "mean": mean, "scale": scale, "images": x} | change
    with pytest.raises(ValueError, match=said) as caught:
        price(**given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 3), (16,)])
def test_images_have_a_picture_and_decoders_any_layout(quick, shape):
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(480, 2, generator=generator)
    weight = torch.randn(2, int(torch.tensor(shape).prod()), generator=generator)
    x = (z @ weight).sigmoid().reshape(-1, *shape)

    def decode(z):
        flat = (z @ weight).sigmoid()
        last = flat.reshape(-1, *shape)
        return last.permute(0, 3, 1, 2) if shape[-1] == 3 else flat

    found = price(decode, z, None, x)
    assert not found.notes[1:]
    figure = found.figure()
    if shape == (16,):
        assert figure is None and "<img" not in found._repr_html_()
        return
    channels = 3 if 3 in shape else 1
    assert found.samples["prior"].shape == (36, channels, 4, 4)
    assert set(found.samples) == {"real", "prior", "aggregate", "reconstruction"}
    assert len(figure.axes) == 4 and "<img" in found._repr_html_()


def said(value, half, back=None):
    one = Difference(value, half / 2, value - half, value + half, 1.5 * half)
    each = {name: Estimate(0.5, 0.01) for name in ("prior", "aggregate", "repaired", "floor")}
    return Price("N(0, I)", 200, "features", each, one, back, "", "", (), "test")


@pytest.mark.parametrize(
    ("value", "half", "words"),
    [
        (0.123, 0.011, "Sampling from N(0, I) costs 0.123 ± 0.011 in Fréchet distance (aggregate"),
        (0.0311, 0.0306, "costs 0.0311 ± 0.0306 in"),
        (-0.2, 0.05, "costs nothing in Fréchet distance: its samples lie closer to real data"),
        (-0.2, 0.05, "by 0.200 ± 0.050 (aggregate 0.500, prior 0.500; repaired 0.500)"),
        (0.01, 0.05, "No cost of sampling from N(0, I) is seen: 0.010 ± 0.050 in Fréchet"),
        (0.01, 0.05, "where a cost of 0.075 would have been seen in 8 of 10 such comparisons"),
        (123.4, 11.2, "costs 123 ± 11 in"),
    ],
)
def test_the_sentence_says_the_interval(value, half, words):
    assert words in said(value, half).sentence


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.2, "gives back 0.200 ± 0.050"),
        (-0.2, "is worse than the prior by 0.200 ± 0.050"),
        (0.01, "not seen to give anything back: 0.010 ± 0.050; 0.075 would"),
    ],
)
def test_the_repair_says_the_interval(value, words):
    assert words in said(1.0, 0.1, said(value, 0.05).cost).repair
