import pytest

from bench.errors import MatrixError
from bench.metrics.registry import METRICS
from tests.bench.matrix.examples import EXAMPLE

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


def with_metric(text, name):
    return text.replace("certified_kl", name)


MISTAKES = [
    (DECREASING, ACROSS.format("certified_kl")),
    (with_metric(DECREASING, "c2st_auc"), ACROSS.format("c2st_auc")),
    (with_metric(DECREASING, "mmd_squared"), ACROSS.format("mmd_squared")),
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
        with_metric(DECREASING, "an_unknown_one"),
    ],
)
def test_what_does_not_set_one_dimension_against_another_is_accepted(read, text):
    assert len(read(text).claims) == 1
