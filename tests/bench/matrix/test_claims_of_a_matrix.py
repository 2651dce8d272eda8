from pathlib import Path

import pandas as pd
import pytest

from bench.errors import MatrixError
from bench.metrics.places import sources, splits
from bench.metrics.registry import METRICS
from tests.bench.matrix.examples import EXAMPLE

COMMITTED = sorted((Path(__file__).parents[3] / "results").glob("*/rows.csv"))
COLUMNS = ["metric", "source", "split"]
SIZES = """\
[matrix]
name = "sizes"
[[study]]
name = "latent dimension"
grid = { latent_dim = [2, 8] }
[[study]]
name = "prior at 8 dimensions"
grid = { latent_dim = [8], "prior.name" = ["normal", "flow"] }
[[claim]]
id = "e"
says = "more latent dimensions match better"
study = "latent dimension"
metric = "certified_kl"
expect = "brackets apart"
worse = "first"
"""
ACROSS = (
    'claim e.metric: expected a metric that compares latent dimensions, got "{}"; use '
    'metric = "certified_kl" with expect = "brackets apart", or a metric per dimension'
)
STUDY = 'study = "latent dimension"'
DECREASING = SIZES.replace('"brackets apart"\nworse = "first"', '"decreasing"')


IMAGES = (
    "prior, aggregate, gmm, flow, repaired, two_stage, reconstruction, floor, training, blur, "
    "marginals"
)
QUOTED = " or ".join(f'"{name}"' for name in IMAGES.split(", "))


def with_metric(text, name):
    return text.replace("certified_kl", name)


MISTAKES = [
    (DECREASING, ACROSS.format("certified_kl")),
    *(
        (with_metric(DECREASING, name), ACROSS.format(name))
        for name in (
            "marginal_kl",
            "marginal_kl_floor",
            "marginal_kl_null",
            "marginal_kl_excess",
            "marginal_kl_loo",
            "total_correlation",
            "negentropy",
            "moment_kl",
            "mmd_squared",
            "c2st_auc",
            "hole_mass",
            "mmd_test",
            "marginal_kl_null_test",
            "certified_kl_test",
        )
    ),
    (
        with_metric(DECREASING, "mmd_squared").replace("decreasing", "equivalent")
        + "margin = 0.1\n",
        ACROSS.format("mmd_squared"),
    ),
    *(
        (
            with_metric(DECREASING.replace(STUDY, 'study = "prior at 8 dimensions"'), name),
            "claim e.metric: expected a metric whose distance from the truth does not depend on "
            f'the configuration where these are compared, got "{name}"; use "iwae"',
        )
        for name in ("bound_gap", "bound_gap_100", "bound_gap_1000", "bound_gap_upper")
    ),
    (
        with_metric(SIZES, "marginal_kl_excess"),
        'claim e.metric: expected "certified_kl" where brackets are to be apart, got '
        '"marginal_kl_excess"',
    ),
    (
        SIZES + "reference = 0.1\n",
        "claim e.reference: expected none where brackets are to be apart, got 0.1",
    ),
    (
        SIZES + 'source = "gauge_fixed"\n',
        'claim e.source: expected none where brackets are to be apart, got "gauge_fixed"',
    ),
    (
        DECREASING + 'worse = "first"\n',
        'claim e.worse: expected none but with expect = "brackets apart", got "first"',
    ),
    (
        SIZES.replace('"first"', '"latent_dim-8"'),
        "claim 1.worse: should be 'first' or 'later', got \"latent_dim-8\"",
    ),
    (
        SIZES + "from_seed = -1\n",
        "claim 1.from_seed: should be greater than or equal to 0, got -1",
    ),
    (
        SIZES + 'fixed = "main"\n',
        'claim 1.fixed: should be 7 to 40 hexadecimal digits of a commit, got "main"',
    ),
    (
        EXAMPLE.replace('id = "d"', 'id = "d 1"'),
        'claim 1.id: should be 1 to 64 letters, digits, - and _, got "d 1"',
    ),
    (
        EXAMPLE.replace('id = "d"', 'id = "--help"'),
        "claim 1.id: should begin with a letter, digit or _, since - begins an option, got "
        '"--help"',
    ),
    (
        EXAMPLE.replace('says = "a', 'say = "a'),
        'claim 1.say: unknown key, did you mean "says"? '
        "Known: against, expect, fixed, from_seed, id, margin, metric, reference, says, source, "
        "split, study, worse",
    ),
    (
        EXAMPLE.replace('study = "encoder depth"', 'study = "encoder width"'),
        'claim d.study: unknown study "encoder width", did you mean "encoder depth"? '
        "Known: encoder depth",
    ),
    (
        EXAMPLE.replace("decreasing", "shrinking"),
        "claim 1.expect: should be 'increasing', 'decreasing', 'equivalent', 'greater', 'less' or "
        "'brackets apart', got \"shrinking\"",
    ),
    (
        EXAMPLE + 'split = "tset"\n',
        "claim 1.split: should be 'train' or 'test', got \"tset\"",
    ),
    (
        EXAMPLE.replace("0.05", "-0.05"),
        "claim 1.margin: should be greater than or equal to 0, got -0.05",
    ),
    (
        EXAMPLE.replace("0.05", "1e300"),
        "claim 1.margin: expected at most 3.4e+38 in size, got 1e+300",
    ),
    (
        EXAMPLE.replace("0.05", "0").replace("decreasing", "equivalent"),
        "claim d.margin: expected more than 0 to show equivalence, got 0.0",
    ),
    (
        EXAMPLE + EXAMPLE[EXAMPLE.index("[[claim]]") :],
        'claim 2.id: "d" is taken by an earlier claim',
    ),
    (
        EXAMPLE.replace("[[200], [200, 200], [200, 200, 200]]", "[[200]]"),
        "claim d.study: expected a study of two or more configurations, got 1",
    ),
    (
        EXAMPLE.replace('study = "encoder depth"', ""),
        "claim d.study: expected a study of two or more configurations, got none",
    ),
    (
        EXAMPLE + "reference = 0.1\n",
        "claim d.reference: expected none where a metric is decreasing, got 0.1",
    ),
    (
        EXAMPLE + 'source = "gm"\n',
        'claim d.source: unknown source "gm", did you mean "gmm"? Known: aggregate, blur, floor, '
        "flow, gauge_fixed, gmm, highest_decile, lowest_decile, marginals, prior, "
        "reconstruction, repaired, training, two_stage",
    ),
    (
        EXAMPLE + 'source = "gmm"\nagainst = "gmm"\n',
        'claim d.against: expected another source than "gmm"',
    ),
    (
        EXAMPLE.replace("marginal_kl_excess", "rate") + 'source = "gmm"\n',
        'claim d.source: expected none, or "gauge_fixed", of which "rate" is measured, got "gmm"',
    ),
    (
        with_metric(SIZES.replace('"brackets apart"\nworse = "first"', '"less"'), "c2st_auc")
        + 'source = "gauge_fixed"\n',
        'claim e.source: expected none, of which "c2st_auc" is measured, got "gauge_fixed"',
    ),
    (
        EXAMPLE.replace("marginal_kl_excess", "frechet"),
        f'claim d.source: expected one of {IMAGES}, of which "frechet" is measured, got none',
    ),
    (
        EXAMPLE.replace("marginal_kl_excess", "recall") + 'source = "lowest_decile"\n',
        f'claim d.source: expected one of {QUOTED}, of which "recall" is measured, got '
        '"lowest_decile"',
    ),
    (
        EXAMPLE.replace("marginal_kl_excess", "iwae") + 'split = "train"\n',
        'claim d.split: expected "test", on which alone "iwae" is measured, got "train"',
    ),
    (
        EXAMPLE.replace("marginal_kl_excess", "frechet") + 'source = "flow"\n',
        'claim d.metric: expected what is measured, got "frechet" of "flow", which '
        "quality.sources = ['prior', 'aggregate', 'gmm', 'reconstruction'] of base "
        "leaves out",
    ),
    (
        EXAMPLE.replace("marginal_kl_excess", "sbc_scale"),
        'claim d.metric: expected what is measured, got "sbc_scale", which quality.sbc_draws = 0 '
        "of base leaves out",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), MISTAKES)
def test_a_mistake_in_a_claim_is_one_sentence(read, text, sentence):
    with pytest.raises(MatrixError) as caught:
        read(text)
    assert str(caught.value) == sentence


def test_unknown_metrics_list_the_known_ones(read):
    with pytest.raises(MatrixError) as caught:
        read(EXAMPLE.replace("_kl_excess", "_kl_exces"), metrics={"rate", "marginal_kl_excess"})
    assert str(caught.value) == (
        'claim d.metric: unknown metric "marginal_kl_exces", did you mean "marginal_kl_excess"? '
        "Known: marginal_kl_excess, rate"
    )


def test_brackets_compare_across_dimensions(read):
    (claim,) = read(SIZES + 'from_seed = 10\nfixed = "abc1234"\n', metrics=METRICS).claims
    assert claim.brackets and claim.compares and claim.worse == "first"
    assert (claim.from_seed, claim.fixed) == (10, "abc1234")
    (claim,) = read(SIZES.replace('worse = "first"\n', "")).claims
    assert claim.worse == "later"


@pytest.mark.parametrize(
    "text",
    [
        DECREASING.replace('study = "latent dimension"', 'study = "prior at 8 dimensions"'),
        DECREASING.replace('"decreasing"', '"less"\nreference = 0.05'),
        with_metric(DECREASING, "kl_per_dimension"),
        with_metric(DECREASING, "rate"),
        with_metric(DECREASING, "mutual_information"),
        with_metric(DECREASING, "elbo"),
        with_metric(DECREASING, "second_moment"),
        with_metric(DECREASING, "an_unknown_one"),
    ],
)
def test_what_does_not_set_one_dimension_against_another_is_accepted(read, text):
    assert len(read(text).claims) == 1


ALL = """
[matrix]
name = "all"
[base.quality]
sources = ["prior", "aggregate", "gmm", "flow", "repaired", "two_stage", "reconstruction"]
sbc_draws = 20
[[claim]]
id = "a"
says = "it is so"
expect = "greater"
"""


def test_what_runs_measured_may_be_claimed_and_nothing_else(read):
    """Of the committed results, which measured every metric somewhere."""
    tables = [pd.read_csv(path, usecols=COLUMNS).fillna("") for path in COMMITTED]
    rows = pd.concat(tables)[COLUMNS].drop_duplicates()
    rows = rows[rows["metric"] != ""]  # of cells that have run
    measured = set(rows.itertuples(index=False, name=None))
    assert {metric for metric, _, _ in measured} == set(METRICS)
    allowed = {
        (name, source, split)
        for name, metric in METRICS.items()
        for source in sources(metric)
        for split in splits(metric)
    }
    assert allowed == measured
    for metric, source, split in sorted(measured)[::7]:
        claim = f'metric = "{metric}"\nsource = "{source}"\nsplit = "{split}"\n'
        assert len(read(ALL + claim, metrics=METRICS).claims) == 1


def test_what_an_override_leaves_out_is_no_mistake_of_the_file(read):
    text = ALL + 'metric = "frechet"\nsource = "flow"\n'
    assert len(read(text, overrides=["quality.sources=[]"]).claims) == 1
    start, end = text.index("sources = ["), text.index("sbc_draws")
    with pytest.raises(MatrixError, match=r"quality.sources = \[\] of base leaves out$"):
        read(f"{text[:start]}sources = []\n{text[end:]}")
