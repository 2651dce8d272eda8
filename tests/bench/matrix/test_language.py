import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.errors import MatrixError
from bench.matrix.files import leading_comment, shipped
from bench.matrix.language import load, parsed
from bench.metrics.registry import METRICS
from tests.bench.matrix.examples import EXAMPLE, KEYS, SHORT, TOY, identities, names, study


def test_the_example_of_the_design(read):
    matrix = read(EXAMPLE, metrics=METRICS)
    assert (matrix.name, matrix.seeds, matrix.block, matrix.timeout) == ("example", 10, 5, 3600.0)
    assert leading_comment(matrix.text) == (
        "Does the match improve with depth and latent size?\nCost: 2 minutes on 2 cores.\n"
        "\nLast: excess .31 -> .12 nats."
    )
    assert names(matrix) == ["base", "encoder-hidden-200", "encoder-hidden-200-200-200"]
    depth, (base, shallow, deep) = matrix.studies[0], matrix.configurations
    assert depth.name == "encoder depth" and depth.keys == ("encoder.hidden",)
    assert depth.configurations == ("encoder-hidden-200", "base", "encoder-hidden-200-200-200")
    assert base.values == matrix.base
    assert shallow.varied == {"encoder.hidden": [200]}
    assert deep.values == matrix.base | {
        "encoder": matrix.base["encoder"] | {"hidden": [200, 200, 200]}
    }
    assert deep.studies == base.studies == ("encoder depth",)
    claim = matrix.claims[0]
    assert (claim.id, claim.study, claim.metric) == ("d", "encoder depth", "marginal_kl_excess")
    assert (claim.says, claim.split) == ("a deeper encoder matches better", "test")
    assert (claim.expect, claim.margin) == ("decreasing", 0.05)


def test_the_order_of_the_leaderboard_is_no_part_of_a_cell(read):
    matrix = read(SHORT + 'order = "elbo"')
    assert matrix.order == "elbo" and read(SHORT).order is None
    assert identities(matrix) == identities(read(SHORT))
    assert load("ci", overrides=['matrix.order="frechet"']).order == "frechet"
    within = (
        SHORT + 'order = "c2st_auc"\n[[study]]\nname = "s"\ngrid = { "training.steps" = [1, 2] }'
    )
    assert read(within).order == "c2st_auc", "of one latent dimension"


def test_every_key_of_the_base_has_a_default(read):
    matrix = read(SHORT)
    assert matrix.base == read(EXAMPLE).base  # the design's example spells the defaults out
    assert names(matrix) == ["base"] and matrix.studies == matrix.claims == ()
    assert matrix.configurations[0].studies == ()
    assert leading_comment(matrix.text) == ""


@pytest.mark.parametrize("name", shipped())
def test_shipped_matrices_load(name):
    matrix = load(name, metrics=METRICS)
    assert matrix.name == name
    assert "?" in leading_comment(matrix.text) and "Cost:" in leading_comment(matrix.text)
    assert "Last:" in leading_comment(matrix.text)
    for one in matrix.studies:  # a comparison, or the base measured better
        measured = all(key.startswith("quality.") for key in one.keys)
        assert len(one.configurations) >= 2 or measured
    assert load(str(shipped()[name])) == load(name)


def test_the_question_s_matrices():
    digits, mnist = load("digits"), load("mnist5k")
    assert {"digits", "mnist5k"} <= set(shipped())
    assert (digits.seeds, digits.block, len(digits.configurations)) == (20, 10, 18)
    assert (mnist.first_seed, mnist.seeds, mnist.block) == (10, 10, 5)
    assert len(mnist.configurations) == 8
    assert mnist.base["encoder"]["hidden"] == mnist.base["decoder"]["hidden"] == [500, 500]
    assert mnist.base["dataset"]["name"] == "mnist5k"


def test_overrides_change_the_base_and_studies_win(read):
    matrix = read(
        EXAMPLE,
        overrides=["training.steps=7", "encoder.hidden=[50]", "matrix.block=2", "latent_dim = 3"],
        seeds=4,
    )
    assert (matrix.seeds, matrix.block) == (4, 2)
    assert matrix.base["training"]["steps"] == 7 and matrix.base["latent_dim"] == 3
    assert matrix.base["encoder"]["hidden"] == [50]
    assert [c.varied["encoder.hidden"] for c in matrix.configurations] == [
        *([50], [200], [200, 200], [200, 200, 200])
    ]
    assert {c.values["training"]["steps"] for c in matrix.configurations} == {7}


def test_the_fingerprint_is_asked_once_per_dataset(read):
    matrix = read(
        SHORT + study('grid = { "dataset.name" = ["digits", "mnist5k"], latent_dim = [2, 3] }')
    )
    asked: list[dict[str, Any]] = []
    cells = matrix.cells(lambda dataset: asked.append(dataset) or f"hash of {dataset['name']}")
    assert [dataset["name"] for dataset in asked] == ["digits", "mnist5k"]
    assert len({cell.id for cell in cells}) == len(cells) == 40
    other = matrix.cells(lambda dataset: "another")
    assert not {cell.id for cell in cells} & {cell.id for cell in other}


def test_ids_do_not_depend_on_order_or_on_spelled_out_defaults(read):
    ids = identities(read(EXAMPLE))
    lines = EXAMPLE.splitlines(keepends=True)
    start = lines.index(next(line for line in lines if line.startswith("dataset")))
    shuffled = lines[:start] + lines[start : start + 8][::-1] + lines[start + 8 :]
    assert identities(read("".join(shuffled))) == ids
    swapped = EXAMPLE.replace('name = "elbo", beta = 1.0', 'beta = 1, name = "elbo"')
    assert identities(read(swapped)) == ids
    omitted = EXAMPLE.replace(", hidden = [200, 200] }", " }").replace(", beta = 1.0", "")
    assert omitted != EXAMPLE and identities(read(omitted)) == ids
    assert identities(read(EXAMPLE.replace("latent_dim = 2\n", ""))) == ids
    renamed = EXAMPLE.replace('"example"', '"other"').replace('"encoder depth"', '"depth"')
    assert identities(read(renamed)) == ids


def test_ids_change_with_every_value(read):
    base = read(SHORT)
    changes = [("latent_dim", 3), ("matrix.block", 6)]
    changes += [
        (f"{family}.name", other) for family, other in [("dataset", "mnist5k"), ("prior", TOY)]
    ]
    for family, table in base.base.items():
        for option, value in table.items() if isinstance(table, dict) else ():
            others = {"activation": "tanh", "features": "pca", "sources": ["flow"], "sbc_draws": 20}
            if option in others:
                changes.append((f"{family}.{option}", others[option]))
            elif not isinstance(value, str) and value is not None:
                other = [*value, 3] if isinstance(value, list) else not value
                number = isinstance(value, int | float) and not isinstance(value, bool)
                changes.append((f"{family}.{option}", value + 1 if number else other))
    assert len(changes) >= 12
    seen = {*identities(base)}
    assert len(seen) == base.seeds
    for key, value in changes:
        found = identities(read(SHORT, overrides=[f"{key}={json.dumps(value)}"]))
        assert seen.isdisjoint(found), key
        seen.update(found)


def large(path, rates, betas):
    varied = {"training.learning_rate": rates, "objective.beta": betas}
    listed = (f'"{key}" = [{", ".join(map(str, values))}]' for key, values in varied.items())
    path.write_text(SHORT + "seeds = 4\n" + study(f"grid = {{ {', '.join(listed)} }}"))
    return path


def calls(function):
    """How many functions a function calls, in Python and in C: its work, on any machine."""
    count = 0

    def counted(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    gc.disable()  # it may call more, any time
    sys.setprofile(counted)
    try:
        function()
    finally:
        sys.setprofile(None)
        gc.enable()
    return count


def test_the_work_of_planning_grows_in_proportion_to_the_configurations(tmp_path):
    rates = [f"{i}e-5" for i in range(1, 401)]
    paths = [large(tmp_path / f"{n}.toml", rates[:n], range(10)) for n in (100, 200, 400)]
    load(paths[0])  # imports what it needs, once
    small, medium, most = (
        calls(lambda path=path: load(path).cells(lambda dataset: "0" * 16)) for path in paths
    )
    assert most - medium == pytest.approx(2 * (medium - small), rel=0.01)
    assert medium - small < 400 * 1000  # each of the configurations, with its four cells: 210


SCRIPT = """
import sys
from pathlib import Path
from bench.matrix.language import load
cells = load(sys.argv[1]).cells(lambda dataset: "0" * 16)
assert len({cell.id for cell in cells}) == 100_000
status = Path("/proc/self/status").read_text()  # ru_maxrss would start from the parent's peak
print(int(status.split("VmHWM:")[1].split()[0]) / 1e6)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read the peak from")
def test_a_hundred_thousand_cells_take_less_than_a_gigabyte(tmp_path):
    """And seconds, which tests/benchmarks measures."""
    rates, betas = [f"{i}e-5" for i in range(1, 201)], [f"{i}e-1" for i in range(125)]
    path = large(tmp_path / "large.toml", rates, betas)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, path], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 1


DIRECTED = ", ".join(sorted(name for name, metric in METRICS.items() if metric.better))
SIZES = '[[study]]\nname = "s"\ngrid = { latent_dim = [2, 4] }'

MISTAKES = [
    ("", "matrix.name: missing, and it has no default"),
    ("[base]\nlatent_dim = 3", "matrix.name: missing, and it has no default"),
    ("matrix = 3", "matrix: expected a table [matrix], got 3"),
    (
        '[matrix]\nname = "a b"',
        'matrix.name: should be 1 to 64 letters, digits, - and _, got "a b"',
    ),
    ('[matrix]\nname = ""', 'matrix.name: should be 1 to 64 letters, digits, - and _, got ""'),
    (
        '[matrix]\nname = "../x"',
        'matrix.name: should be 1 to 64 letters, digits, - and _, got "../x"',
    ),
    ("[matrix]\nname = 3", "matrix.name: should be a valid string, got 3"),
    *(
        (
            f'[matrix]\nname = "{name}"',
            "matrix.name: should begin with a letter, digit or _, since - begins an option, got "
            f'"{name}"',
        )
        for name in ("--help", "-rf", "-")
    ),
    *(
        (
            f'[matrix]\nname = "{name}"',
            f'matrix.name: should be called like no other page of the results, got "{name}"',
        )
        for name in ("README", "index", "validity", "Predictors", "x-claims")
    ),
    (SHORT + "seeds = 0", "matrix.seeds: should be greater than or equal to 1, got 0"),
    (SHORT + "seeds = -3", "matrix.seeds: should be greater than or equal to 1, got -3"),
    (SHORT + "seeds = 10001", "matrix.seeds: should be less than or equal to 10000, got 10001"),
    (SHORT + "seeds = 3.0", "matrix.seeds: should be a valid integer, got 3.0"),
    (SHORT + "seeds = true", "matrix.seeds: should be a valid integer, got true"),
    (
        SHORT + 'order = "fretchet"',
        f'matrix.order: unknown metric "fretchet", did you mean "frechet"? Known: {DIRECTED}',
    ),
    (
        SHORT + 'order = "rate"',
        'matrix.order: expected a metric with a direction, got "rate"; use one of ' + DIRECTED,
    ),
    (SHORT + "order = 3", "matrix.order: should be a valid string, got 3"),
    (
        SHORT + 'order = "c2st_auc"\n' + SIZES,
        "matrix.order: expected a metric that can be compared across latent dimensions, got "
        '"c2st_auc" in a matrix of 2 of them',
    ),
    (SHORT + 'seeds = "3"', 'matrix.seeds: should be a valid integer, got "3"'),
    (
        SHORT + "first_seed = -1",
        "matrix.first_seed: should be greater than or equal to 0, got -1",
    ),
    (SHORT + "block = 0", "matrix.block: should be greater than or equal to 1, got 0"),
    (SHORT + "timeout = 0", "matrix.timeout: should be greater than 0, got 0"),
    (
        SHORT + "timeout = nan",
        "matrix.timeout: expected text, a boolean or a finite number, got nan",
    ),
    (
        SHORT + "seeds = 99999999999999999999",
        "matrix.seeds: expected text, a boolean or a finite number, got an integer beyond 64 bits",
    ),
    (
        SHORT + "seeds = 1979-05-27",
        "matrix.seeds: expected text, a boolean or a finite number, got 1979-05-27",
    ),
    (
        SHORT + "sedes = 3",
        'matrix.sedes: unknown key, did you mean "seeds"? '
        "Known: block, first_seed, metrics, name, order, replicates, seeds, timeout",
    ),
    (
        SHORT + "[[studies]]",
        'studies: unknown key, did you mean "study"? Known: base, claim, matrix, study',
    ),
    (
        SHORT + "[qqq]",
        "qqq: unknown key. Known: base, claim, matrix, study",
    ),
    (
        SHORT + "[base]\na" + ".a" * 20 + " = 1",
        "base" + ".a" * 16 + ": expected at most 16 nested levels, got more",
    ),
    (SHORT + "[[base]]", "base: expected a table [base], got [{}]"),
    (
        SHORT + "study = [3]",
        "matrix.study: unknown key. "
        "Known: block, first_seed, metrics, name, order, replicates, seeds, timeout",
    ),
    (
        SHORT + "seeds = 10000\n" + study(f"grid = {{ latent_dim = {[*range(1, 102)]} }}"),
        "matrix.seeds: expected at most 1,000,000 cells in all, got 101 configurations with "
        "10,000 seeds",
    ),
    (
        SHORT + "timeout = 1e39",
        "matrix.timeout: expected at most 3.4e+38 in size, got 1e+39",
    ),
]


MANY = SHORT + study(f'grid = {{ latent_dim = {[*range(1, 1001)]}, "objective.beta" = [0, 1] }}')
"""2,000 configurations."""


def test_more_than_a_hundred_thousand_cells_must_be_meant(read, monkeypatch):
    def built(*_):
        raise AssertionError("counted before any is built")

    monkeypatch.setattr("bench.matrix.language.expand", built)
    with pytest.raises(MatrixError) as caught:
        read(MANY, seeds=51)
    assert str(caught.value) == (
        'study "s": expected at most 100,000 cells in all, got 2,000 configurations with 51 seeds; '
        "--yes takes them on"
    )
    for options in ({"seeds": 50}, {"seeds": 51, "large": True}):
        with pytest.raises(AssertionError, match="before any is built"):
            read(MANY, **options)


def test_many_cells_are_counted_at_once_and_never_made(read):
    keys = ["latent_dim", "objective.beta", "training.steps", "dataset.spread", "quality.sbc_draws"]
    keys += ["training.learning_rate"]
    every = {key: list(range(1, 1001)) for key in keys}  # 10¹⁸
    grid = ", ".join(f'"{key}" = {values}' for key, values in every.items())
    for large in (False, True):
        with pytest.raises(MatrixError, match=r"^study \"s\": .* at most 1,000,000 cells in all, "):
            read(SHORT + "seeds = 1\n" + study(f"grid = {{ {grid} }}"), large=large)
    with pytest.raises(MatrixError, match="got 1,000 configurations with 10,000 seeds"):
        read(SHORT + "seeds = 10000\n" + study(f"zip = {{ {grid} }}"), large=True)


@pytest.mark.parametrize(("text", "sentence"), MISTAKES)
def test_a_mistake_in_the_file_is_one_sentence(read, text, sentence):
    with pytest.raises(MatrixError) as caught:
        read(text)
    assert str(caught.value) == sentence


EXAMPLES = '3, 1e-3, [200, 200] or "text" with its quotes'


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("latent_dim", '--set: expected KEY=VALUE, got "latent_dim"'),
        ("=3", '--set: expected KEY=VALUE, got "=3"'),
        ("latent_dim=", f'--set latent_dim: expected a TOML value such as {EXAMPLES}, got ""'),
        (
            "prior.name=normal",
            f'--set prior.name: expected a TOML value such as {EXAMPLES}, got "normal"',
        ),
        (
            "latent_dim=3\nseeds=4",
            f'--set latent_dim: expected a TOML value such as {EXAMPLES}, got "3\\nseeds=4"',
        ),
        (
            "objective.beta=inf",
            "--set objective.beta: expected text, a boolean or a finite number, got inf",
        ),
        ("latent_dim=0", "--set latent_dim: should be greater than or equal to 1, got 0"),
        ("training.steps=-1", "--set training: steps must be positive, got -1"),
        (
            "trainning.steps=1",
            f'--set trainning: unknown key, did you mean "training"? Known: {KEYS}',
        ),
        (
            "matrix.sedes=1",
            'matrix.sedes: unknown key, did you mean "seeds"? '
            "Known: block, first_seed, metrics, name, order, replicates, seeds, timeout",
        ),
        ("matrix.seeds=0", "matrix.seeds: should be greater than or equal to 1, got 0"),
    ],
)
def test_a_mistake_in_an_override_is_one_sentence(read, override, sentence):
    with pytest.raises(MatrixError) as caught:
        read(EXAMPLE, overrides=[override])
    assert str(caught.value) == sentence


def test_seeds_begin_where_the_matrix_says_and_keep_their_ids(read):
    every = read(SHORT, seeds=20)
    ids = {cell.seed: cell.id for cell in every.cells(lambda dataset: "x")}
    for late in (read(SHORT + "first_seed = 10\n"), read(SHORT, first_seed=10)):
        cells = late.cells(lambda dataset: "x")
        assert [cell.seed for cell in cells] == list(range(10, 20))
        assert all(ids[cell.seed] == cell.id for cell in cells)
    assert read(SHORT + "first_seed = 3\n", first_seed=0).first_seed == 0


def test_seeds_are_checked(read):
    with pytest.raises(MatrixError, match=r"^matrix.seeds: should be .* 1, got 0$"):
        read(EXAMPLE, seeds=0)


def test_a_changed_base_is_said_in_the_text_and_unfixes_claims():
    matrix = load("mnist", overrides=["training.steps=50", "encoder.hidden=[20]"])
    first, second, *_ = matrix.text.splitlines()
    assert first == "# Changed by --set: training.steps=50"
    assert second == "# Changed by --set: encoder.hidden=[20]"
    assert matrix.claims and {claim.fixed for claim in matrix.claims} == {None}
    assert parsed(matrix.text, "mnist")["base"] == parsed(load("mnist").text, "mnist")["base"]
    for kept in (
        load("mnist"),
        load("mnist", seeds=1),
        load("mnist", overrides=["matrix.seeds=1"]),
    ):
        assert "Changed by" not in kept.text and {c.fixed for c in kept.claims} == {"b09c37ee77d4"}
