import hashlib
import itertools
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator

from bench.errors import MatrixError
from bench.matrix.files import leading_comment, shipped
from bench.matrix.language import Configuration, Matrix, load
from bench.matrix.registry import FAMILIES
from bench.metrics.registry import METRICS

EXAMPLE = """\
# Does the match improve with depth and latent size?
# Cost: 2 minutes on 2 cores.
#
# Last: excess .31 -> .12 nats.
[matrix]
name  = "example"
seeds = 10                                   # seeds 0 … 9
[base]                                       # every key has a default
dataset    = { name = "digits" }
encoder    = { name = "mlp", hidden = [200, 200] }
decoder    = { name = "mlp", hidden = [200, 200] }
latent_dim = 2
prior      = { name = "normal" }
likelihood = { name = "bernoulli" }
objective  = { name = "elbo", beta = 1.0 }
training   = { steps = 2000, batch_size = 128, learning_rate = 1e-3 }
[[study]]
name = "encoder depth"
grid = { "encoder.hidden" = [[200], [200, 200], [200, 200, 200]] }
[[claim]]
id = "d"
says = "a deeper encoder matches better"
study = "encoder depth"
metric = "marginal_kl_excess"
expect = "decreasing"
margin = 0.05
"""
SHORT = '[matrix]\nname = "short"\n'
HERE = "tests.bench.test_matrix"


class Toy:
    def __init__(
        self,
        latent_dim: int,
        *,
        width: float = 1,
        sizes: tuple[int, ...] = (1, 2),
        mode: Literal["soft", "hard"] = "soft",
        depth: int | None = None,
        anything=True,
        **rest: Any,
    ):
        pass


class Needy:
    def __init__(self, latent_dim: int, *, components: int, width: float = 3.0):
        pass


class Opaque:
    def __init__(self, latent_dim: int, *, generator: Generator = None):
        pass


class Callback:
    def __init__(self, latent_dim: int, *, notify: "Undefined" = 3):  # noqa: F821
        pass


TOY, NEEDY = f"{HERE}:Toy", f"{HERE}:Needy"


@pytest.fixture
def read(tmp_path):
    def read(text: str, **options) -> Matrix:
        path = tmp_path / "matrix.toml"
        path.write_text(text, encoding="utf-8")
        return load(path, **options)

    return read


def study(text: str, name: str = "s") -> str:
    return f'[[study]]\nname = "{name}"\n{text}\n'


def identities(matrix: Matrix) -> list[str]:
    return [cell.id for cell in matrix.cells(lambda dataset: "0123456789abcdef")]


def names(matrix: Matrix) -> list[str]:
    return [configuration.name for configuration in matrix.configurations]


# What a good file becomes


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
    assert all(len(s.configurations) >= 2 for s in matrix.studies)
    assert load(str(shipped()[name])) == load(name)


def test_the_question_s_matrices():
    digits, mnist = load("digits"), load("mnist5k")
    assert {"digits", "mnist5k"} <= set(shipped())
    assert (digits.seeds, digits.block, len(digits.configurations)) == (10, 10, 17)
    assert (mnist.seeds, mnist.block, len(mnist.configurations)) == (10, 5, 8)
    assert mnist.base["encoder"]["hidden"] == mnist.base["decoder"]["hidden"] == [500, 500]
    assert mnist.base["dataset"]["name"] == "mnist5k"


def test_configurations_of_two_studies_and_the_base_stand_once(read):
    matrix = read(
        SHORT
        + study('grid = { latent_dim = [2, 4], "objective.beta" = [1, 2] }', "both")
        + study("grid = { latent_dim = [4, 8] }", "size")
        + study('zip = { "objective.beta" = [2.0, 4.0], latent_dim = [4, 8] }', "together")
    )
    assert [s.configurations for s in matrix.studies] == [
        ("base", "objective-beta-2", "latent_dim-4", "latent_dim-4--objective-beta-2"),
        ("latent_dim-4", "latent_dim-8"),
        ("latent_dim-4--objective-beta-2", "objective-beta-4--latent_dim-8"),
    ]
    assert len(set(names(matrix))) == len(names(matrix)) == 6
    by_name = {c.name: c for c in matrix.configurations}
    assert by_name["latent_dim-4"].studies == ("both", "size")
    assert by_name["latent_dim-4--objective-beta-2"].studies == ("both", "together")
    assert by_name["latent_dim-8"].varied == {"latent_dim": 8, "objective.beta": 1.0}


def test_values_are_typed_and_plain(read):
    base = read(
        SHORT + f'[base]\nprior = {{ name = "{TOY}", width = 2, mode = "hard", depth = 4 }}'
    ).base
    assert base["prior"] == {
        **{"name": TOY, "width": 2.0, "sizes": [1, 2], "mode": "hard", "depth": 4},
        "anything": True,
    }
    assert type(base["prior"]["width"]) is float
    default = read(SHORT + f'[base]\nprior = {{ name = "{TOY}" }}').base["prior"]
    assert type(default["width"]) is float and default["depth"] is None
    assert json.loads(json.dumps(base)) == base


def test_a_new_name_keeps_the_options_that_fit(read):
    toy = SHORT + f'[base]\nprior = {{ name = "{TOY}", width = 7, depth = 2 }}\n'
    names_only = read(toy + study(f'grid = {{ "prior.name" = ["normal", "{TOY}"] }}'))
    base, normal = names_only.configurations
    assert (base.varied, normal.varied) == ({"prior.name": TOY}, {"prior.name": "normal"})
    assert "width" not in normal.values["prior"] and normal.name == "prior-normal"
    assert base.values["prior"]["depth"] == 2

    both = f'zip = {{ "prior.components" = [5, 6], "prior.name" = ["{NEEDY}", "{NEEDY}"] }}'
    for configuration in read(toy + study(both)).configurations[1:]:
        assert configuration.values["prior"]["width"] == 7.0  # Needy has it, and no depth
        assert set(configuration.values["prior"]) == {"name", "components", "width"}

    whole = f'grid = {{ prior = [{{ name = "{NEEDY}", components = 3 }}] }}'
    replaced = read(toy + study(whole)).configurations[1]
    assert replaced.values["prior"] == {"name": NEEDY, "components": 3, "width": 3.0}
    assert replaced.varied == {"prior": replaced.values["prior"]}
    assert replaced.name.endswith("Needy-components-3")  # its width is the default


def test_names_are_safe_short_and_unique(read):
    values = ", ".join(
        [f'"{"x" * 200}{end}"' for end in "ab"] + ['"a.b"', '"a-b"', '"a_b"', '"A_B"']
    )
    tables = ", ".join(f'{{ name = "{TOY}", anything = {v} }}' for v in ("1", "true", "1.0"))
    matrix = read(
        SHORT
        + study(f'grid = {{ "encoder.activation" = [{values}] }}')
        + study(f"grid = {{ prior = [{tables}] }}", "untyped")
        + study('grid = { "encoder.hidden" = [[], [3]], "objective.beta" = [0, 1e-5, 0.25] }', "z")
    )
    found = names(matrix)
    assert len({name.lower() for name in found}) == len(found) == 1 + 6 + 3 + 6
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in found)
    assert found.count("base") == 1 and matrix.configurations[0].name == "base"
    assert "encoder-activation-a-b" in found
    assert "encoder-hidden-none--objective-beta-0_25" in found
    assert "encoder-hidden-3--objective-beta-1e-05" in found


def test_names_survive_a_new_order_of_studies(read):
    blocks = [
        study('grid = { "objective.beta" = [1, 2], latent_dim = [2, 4] }', "one"),
        study('grid = { latent_dim = [4, 8], "objective.beta" = [2, 4] }', "two"),
        study(f'grid = {{ prior = [{{ name = "{TOY}" }}], latent_dim = [4] }}', "three"),
        study(f'zip = {{ latent_dim = [4], "prior.name" = ["{TOY}"] }}', "four"),
    ]
    matrices = [read(SHORT + "".join(order)) for order in itertools.permutations(blocks)]
    known = [{c.id: c.name for c in matrix.configurations} for matrix in matrices]
    assert all(each == known[0] for each in known)
    assert len(known[0]) == len(set(known[0].values())) == 8


# Overrides


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


def test_an_overridden_name_keeps_only_what_fits(read):
    given = SHORT + f'[base]\nprior = {{ name = "{TOY}", width = 7, depth = 2 }}'
    for order in ([0, 1], [1, 0]):
        texts = [f'prior.name="{NEEDY}"', "prior.components=5"]
        assert read(given, overrides=[texts[i] for i in order]).base["prior"] == {
            **{"name": NEEDY, "components": 5, "width": 7.0}
        }
    assert read(given, overrides=['prior={name="normal"}']).base["prior"]["name"] == "normal"


# Identity


def test_cell_ids_are_pinned():
    values = {"dataset": {"name": "digits"}, "latent_dim": 2, "objective": {"beta": 0.5}}
    only = Configuration("base", values, (), {})
    matrix = Matrix("m", "", 2, 5, 60.0, (), values, (), (), (only,))
    cells = matrix.cells(lambda dataset: "f00d")
    text = (
        '{"block":5,"data":"f00d","seed":1,"values":'
        '{"dataset":{"name":"digits"},"latent_dim":2,"objective":{"beta":0.5}}}'
    )
    assert cells[1].id == hashlib.sha256(text.encode()).hexdigest()[:16] == "226bb1d4969635dd"
    assert only.id == "8256642f0628"
    assert [(cell.configuration, cell.seed) for cell in cells] == [(only, 0), (only, 1)]


def test_an_option_that_came_later_changes_no_id_at_what_it_was_before():
    def ids(**training):
        values = {"dataset": {}, "training": {"steps": 5} | training}
        one = Configuration("base", values, (), {})
        matrix = Matrix("m", "", 1, 5, 60.0, (), values, (), (), (one,))
        return one.id, matrix.cells(lambda dataset: "f00d")[0].id

    assert ids(precision="float32") == ids()
    assert not set(ids(precision="bfloat16")) & set(ids())


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
            words = {"activation": "tanh", "features": "pca", "sources": ["flow"]}
            if option in words:
                changes.append((f"{family}.{option}", words[option]))
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


SCRIPT = """
import sys, time
from pathlib import Path
from bench.matrix import load
start = time.process_time()
cells = load(sys.argv[1]).cells(lambda dataset: "0" * 16)
assert len({cell.id for cell in cells}) == 100_000
status = Path("/proc/self/status").read_text()  # ru_maxrss would start from the parent's peak
print(time.process_time() - start, int(status.split("VmHWM:")[1].split()[0]) / 1e6)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc to read the peak from")
def test_a_hundred_thousand_cells_are_planned_in_seconds(tmp_path):
    path = tmp_path / "large.toml"
    rates = ", ".join(f"{i}e-5" for i in range(1, 201))
    betas = ", ".join(f"{i}e-1" for i in range(125))
    varied = f'grid = {{ "training.learning_rate" = [{rates}], "objective.beta" = [{betas}] }}'
    path.write_text(SHORT + "seeds = 4\n" + study(varied))
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, path], capture_output=True, text=True, check=True
    )
    seconds, gigabytes = map(float, done.stdout.split())  # of processor, so load does not count
    assert seconds < 10 and gigabytes < 1


# Mistakes

PRIORS = ", ".join(sorted(FAMILIES["prior"]))
IMPORT = 'or an import path "package.module:Attribute"'
KEYS = "dataset, decoder, encoder, latent_dim, likelihood, objective, prior, quality, training"
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
    (SHORT + "seeds = 0", "matrix.seeds: should be greater than or equal to 1, got 0"),
    (SHORT + "seeds = -3", "matrix.seeds: should be greater than or equal to 1, got -3"),
    (SHORT + "seeds = 10001", "matrix.seeds: should be less than or equal to 10000, got 10001"),
    (SHORT + "seeds = 3.0", "matrix.seeds: should be a valid integer, got 3.0"),
    (SHORT + "seeds = true", "matrix.seeds: should be a valid integer, got true"),
    (SHORT + 'seeds = "3"', 'matrix.seeds: should be a valid integer, got "3"'),
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
        "Known: block, metrics, name, seeds, timeout",
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
        SHORT + "[base]\nenocder = {}",
        f'base.enocder: unknown key, did you mean "encoder"? Known: {KEYS}',
    ),
    (
        SHORT + '[base]\n"x\\ny" = 3',
        f"base.x y: unknown key. Known: {KEYS}",
    ),
    (
        SHORT + "[base]\nlatent_dim = 0",
        "base.latent_dim: should be greater than or equal to 1, got 0",
    ),
    (SHORT + "[base]\nlatent_dim = [2]", "base.latent_dim: should be a valid integer, got [2]"),
    (
        SHORT + '[base]\nprior = "normal"',
        'base.prior: expected a table such as { name = "normal" }, got "normal"',
    ),
    (SHORT + "[base]\nprior.name = 3", "base.prior.name: expected text, got 3"),
    (
        SHORT + '[base]\nprior.name = "nromal"',
        'base.prior.name: unknown prior "nromal", did you mean "normal"? '
        f"Known: {PRIORS}; {IMPORT}",
    ),
    (
        SHORT + '[base]\nprior.name = "nowhere.at_all:Prior"',
        'base.prior.name: cannot import "nowhere.at_all:Prior" '
        "(ModuleNotFoundError: No module named 'nowhere')",
    ),
    (
        SHORT + f'[base]\nprior.name = "{HERE}:Tyo"',
        f'base.prior.name: cannot import "{HERE}:Tyo" '
        f"(AttributeError: module '{HERE}' has no attribute 'Tyo')",
    ),
    (
        SHORT + f'[base]\nprior.name = "{HERE}:EXAMPLE"',
        f'base.prior.name: expected a class or a function at "{HERE}:EXAMPLE", got str',
    ),
    (
        SHORT + f'[base]\nprior = {{ name = "{TOY}", widht = 3 }}',
        'base.prior.widht: unknown key, did you mean "width"? '
        "Known: anything, depth, mode, name, sizes, width",
    ),
    (
        SHORT + f'[base]\nprior = {{ name = "{TOY}", width = "3" }}',
        'base.prior.width: should be a valid number, got "3"',
    ),
    (
        SHORT + f'[base]\nprior = {{ name = "{TOY}", width = true }}',
        "base.prior.width: should be a valid number, got true",
    ),
    (
        SHORT + f'[base]\nprior = {{ name = "{TOY}", sizes = [1, "200"] }}',
        'base.prior.sizes: should be a valid integer, got [1, "200"]',
    ),
    (
        SHORT + f'[base]\nprior = {{ name = "{TOY}", sizes = {[*range(99)]} }}\nlatent_dim = true',
        "base.latent_dim: should be a valid integer, got true",
    ),
    (
        SHORT + f'[base]\nprior = {{ name = "{TOY}", mode = {[*range(99)]} }}',
        "base.prior.mode: should be 'soft' or 'hard', "
        "got [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, …",
    ),
    (
        SHORT + f'[base]\nprior = {{ name = "{TOY}", depth = "x" }}',
        'base.prior.depth: should be a valid integer, got "x"',
    ),
    (
        SHORT + f'[base]\nprior.name = "{NEEDY}"',
        "base.prior.components: missing, and it has no default",
    ),
    (
        SHORT + f'[base]\nprior.name = "{HERE}:Callback"',
        "Callback: a matrix cannot set its options (name 'Undefined' is not defined)",
    ),
    (
        SHORT + f'[base]\nprior.name = "{HERE}:Opaque"',
        "Opaque: a matrix cannot set generator (TOML holds no torch._C.Generator)",
    ),
    (SHORT + "[base]\ntraining = 3", "base.training: expected a table { … }, got 3"),
    (SHORT + "[base]\ntraining.steps = 0", "base.training: steps must be positive, got 0"),
    (SHORT + "[study]", "study: expected tables [[study]], got {}"),
    (
        SHORT + "study = [3]",
        "matrix.study: unknown key. Known: block, metrics, name, seeds, timeout",
    ),
    ("study = [3]\n" + SHORT, "study 1: expected a table { … }, got 3"),
    (SHORT + "[[study]]\ngrid = {}", "study 1.name: missing, and it has no default"),
    (
        SHORT + '[[study]]\nname = " "',
        'study 1.name: should be one line of printable text, got " "',
    ),
    (
        SHORT + study("gird = {}"),
        'study 1.gird: unknown key, did you mean "grid"? Known: grid, name, zip',
    ),
    (SHORT + study("grid = 3"), "study 1.grid: should be a table, got 3"),
    (SHORT + study(""), 'study "s": expected either grid (product) or zip (together), got neither'),
    (
        SHORT + study("grid = {}\nzip = {}"),
        'study "s": expected either grid (product) or zip (together), got both',
    ),
    (
        SHORT + study("grid = {}"),
        'study "s": grid: expected at least one key with its values, got none',
    ),
    (
        SHORT + study("grid = { latent_dim = [2] }") * 2,
        'study 2.name: "s" is taken by an earlier study',
    ),
    (
        SHORT + study("grid = { latent_dim = 2 }"),
        'study "s": latent_dim: expected a list of values, got 2',
    ),
    (
        SHORT + study("grid = { latent_dim = [] }"),
        'study "s": latent_dim: expected a list of values, got []',
    ),
    (
        SHORT + study("grid = { encoder.hidden = [[2]] }"),
        'study "s": encoder: expected a list of values; quote a dotted key: "encoder.hidden"',
    ),
    (
        SHORT + study('grid = { "enocder.hidden" = [[2]] }'),
        f'study "s": enocder: unknown key, did you mean "encoder"? Known: {KEYS}',
    ),
    (
        SHORT + study('grid = { "latent_dim.size" = [2] }'),
        'study "s": latent_dim.size: expected the key latent_dim alone, it has no options',
    ),
    (
        SHORT + study('grid = { "encoder.hidden" = [200, 300] }'),
        'study "s": encoder.hidden: should be a valid array, got 200',
    ),
    (
        SHORT + study('grid = { "training.steps" = [10, 0] }'),
        'study "s": training: steps must be positive, got 0',
    ),
    (
        SHORT + study('grid = { prior = [3], "prior.name" = ["normal"] }'),
        'study "s": prior: expected a table { … }, got 3',
    ),
    (
        SHORT + study("grid = { latent_dim = [2, 4, 2] }"),
        'study "s": expected distinct configurations, got {"latent_dim": 2} twice',
    ),
    (
        SHORT + study('zip = { latent_dim = [2, 4], "objective.beta" = [1, 2, 3] }'),
        'study "s": zip: expected lists of one length, got [2, 3]',
    ),
    (
        SHORT
        + study(
            f'grid = {{ latent_dim = {[*range(1, 1001)]}, "objective.beta" = {[*range(101)]} }}'
        ),
        'study "s": expected at most 100000 configurations, got 101000',
    ),
    (
        SHORT + "seeds = 10000\n" + study(f"grid = {{ latent_dim = {[*range(1, 102)]} }}"),
        "matrix.seeds: expected at most 1000000 cells in all, got 1010000",
    ),
    (
        EXAMPLE.replace('id = "d"', 'id = "d 1"'),
        'claim 1.id: should be 1 to 64 letters, digits, - and _, got "d 1"',
    ),
    (
        EXAMPLE.replace('says = "a', 'say = "a'),
        'claim 1.say: unknown key, did you mean "says"? '
        "Known: against, expect, id, margin, metric, reference, says, source, split, study",
    ),
    (
        EXAMPLE.replace('study = "encoder depth"', 'study = "encoder width"'),
        'claim d.study: unknown study "encoder width", did you mean "encoder depth"? '
        "Known: encoder depth",
    ),
    (
        EXAMPLE.replace("decreasing", "shrinking"),
        "claim 1.expect: should be 'increasing', 'decreasing', 'equivalent', 'greater' or 'less', "
        'got "shrinking"',
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
        "reconstruction, training, two_stage",
    ),
    (
        EXAMPLE + 'source = "gmm"\nagainst = "gmm"\n',
        'claim d.against: expected another source than "gmm"',
    ),
    (
        SHORT + '[base]\nquality = { sources = ["prior", "agregate"] }',
        'base.quality.sources: unknown "agregate", did you mean "aggregate"? '
        "Known: aggregate, flow, gmm, prior, reconstruction, two_stage",
    ),
    (
        SHORT + '[base]\nquality = { features = "vgg" }',
        "base.quality: features must be one of classifier, pca, pretrained, got 'vgg'",
    ),
    (
        SHORT + '[base]\nquality = { source = ["prior"] }',
        'base.quality.source: unknown key, did you mean "sources"? '
        "Known: bound_inputs, features, sources",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), MISTAKES)
def test_a_mistake_in_the_file_is_one_sentence(read, text, sentence):
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
            "Known: block, metrics, name, seeds, timeout",
        ),
        ("matrix.seeds=0", "matrix.seeds: should be greater than or equal to 1, got 0"),
    ],
)
def test_a_mistake_in_an_override_is_one_sentence(read, override, sentence):
    with pytest.raises(MatrixError) as caught:
        read(EXAMPLE, overrides=[override])
    assert str(caught.value) == sentence


def test_seeds_are_checked(read):
    with pytest.raises(MatrixError, match=r"^matrix.seeds: should be .* 1, got 0$"):
        read(EXAMPLE, seeds=0)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"expected a TOML file, got a directory"),
        (b"\x80\x04\x95PK", r"expected a TOML file in UTF-8, got other bytes at 0"),
        (b"[matrix", r"expected TOML, got: Expected ']' at the end of a table declaration .*"),
        (b"[matrix]\nname = ", r"expected TOML, got: Invalid value .*"),
        (b"a = " + b"[" * 5000, r"expected TOML, got: .*"),
        (b"a = " + b"9" * 5000, r"expected TOML, got: .*"),
    ],
)
def test_files_that_are_no_matrix(tmp_path, content, sentence):
    path = tmp_path / "bad.toml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(MatrixError) as caught:
        load(path)
    assert re.fullmatch(f"{re.escape(str(path))}: {sentence}", str(caught.value))


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (
            "digts",
            f'digts: unknown matrix, did you mean "digits"? Known: {", ".join(shipped())}; '
            "or the path of a TOML file",
        ),
        (
            "nowhere.toml",
            "nowhere.toml: expected a TOML file that can be read, got: No such file or directory",
        ),
        ("/dev/zero", "/dev/zero: expected a TOML file, got something else"),
        ("", ".: expected a TOML file, got a directory"),
        (
            "x" * 300 + ".toml",
            "x" * 300 + ".toml: expected a TOML file that can be read, got: File name too long",
        ),
        ("a\0/b", "a /b: expected a TOML file that can be read, got: embedded null byte"),
    ],
)
def test_paths_that_lead_nowhere(path, sentence):
    with pytest.raises(MatrixError) as caught:
        load(path)
    assert str(caught.value) == sentence


def test_windows_files_load(read, tmp_path):
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + EXAMPLE.replace("\n", "\r\n").encode())
    assert load(path) == read(EXAMPLE)


# Any other file

LITERALS = st.sampled_from(
    ["3", "-1", "0", "1e400", "nan", "true", '""', '"x"', "[]", "[[]]", "{}", "[1, 'a', {}]"]
    + ['{ name = "gaussian" }', '"tests.bench.test_matrix:Toy"', "1979-05-27", "0x" + "f" * 5000]
    + ['"\\u2028"', "'''a\nb'''", "[2, 4]", "[[200], 3]", '{ "latent_dim" = [2, 4] }', "0.5", "~"]
)
KEYS_OF = st.sampled_from(
    ["name", "seeds", "grid", "zip", "latent_dim", "prior", "prior.name", '"prior.name"', "base"]
    + ["encoder.hidden", '"encoder.hidden"', "''", "matrix", "study", "[[study]]", "expect", "x"]
)


@st.composite
def mutated(draw) -> str:
    lines = EXAMPLE.splitlines()
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(lines) - 1))
        key, equals, value = lines[place].partition("=")
        match draw(st.sampled_from("delete double swap value key text cut".split())):
            case "delete":
                del lines[place]
            case "double":
                lines.insert(draw(st.integers(0, len(lines))), lines[place])
            case "swap":
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(place))
            case "value" if equals:
                lines[place] = f"{key}= {draw(LITERALS)}"
            case "key" if equals:
                lines[place] = f"{draw(KEYS_OF)} ={value}"
            case "text":
                lines[place] += draw(st.text(max_size=10))
            case _:
                lines[place] = lines[place][: draw(st.integers(0, len(lines[place])))]
        lines = lines or [""]
    return "\n".join(lines)


OUTCOMES: list[str] = []


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(text=mutated())
def check_mutated(text: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        outcome(Path(file.name), [])


def outcome(path: Path, overrides: list[str]) -> None:
    try:
        matrix = load(path, overrides=overrides, metrics=METRICS)
    except MatrixError as error:
        assert str(error).isprintable() and len(str(error)) < 1000
        OUTCOMES.append("refused")
    else:
        assert all(re.fullmatch(r"[A-Za-z0-9_-]+", name) for name in names(matrix))
        assert len(set(identities(matrix))) == matrix.seeds * len(matrix.configurations)
        OUTCOMES.append("loaded")


def test_mutated_files_load_or_are_refused_in_one_line():
    OUTCOMES.clear()
    check_mutated()
    assert min(OUTCOMES.count("refused"), OUTCOMES.count("loaded")) > 30


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(key=KEYS_OF | st.text(max_size=8), value=LITERALS | st.text(max_size=8))
def test_any_override_loads_or_is_refused_in_one_line(key, value):
    outcome(shipped()["mnist5k"], [f"{key}={value}"])
