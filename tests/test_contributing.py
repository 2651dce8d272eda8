"""A metric, a prior and a command, added to a copy of the suite by CONTRIBUTING's steps alone."""

import pandas as pd
import pytest

from tests.copies import copy_suite, tiny_matrix, vaebench

ESTIMATOR = '''

def third_moment(posterior: AggregatePosterior) -> float:
    """Largest |E z_j³| of the means: 0 under any symmetric law.

    Args:
        posterior: The mixture.

    Returns:
        The moment, in cubes of the latent's unit.
    """
    return float(posterior.mean.pow(3).mean(0).abs().max())
'''
MEASUREMENT = """    yield Measurement(split, "third_moment", moments.third_moment(q))
"""
ENTRY = """    Metric(
        "third_moment",
        "cubes",
        "lower",
        0.1,
        "E z³",
        "Largest third moment of the means: nothing anybody needs.",
        "nobody",
        table=Table.SHAPE,
    ),
]
"""
PRIOR = '''

class Shifted(Normal):
    """N(0, I) by another name."""
'''
COMMAND = '''"""What ``vaebench greet`` does."""

from rich.console import Console

__all__ = ["execute"]


def execute(name: str, console: Console) -> int:
    """Greet."""
    console.print(f"hello {name}")
    return 0
'''
DECLARED = '''@app.command()
def greet(name: Annotated[str, typer.Argument(help="Whom.")]) -> None:
    """Greet somebody.

    Example: vaebench greet world
    """
    from bench.commands.greet import execute

    raise typer.Exit(execute(name, console()))


def main(
'''


def insert(path, before, text):
    source = path.read_text()
    assert source.count(before) >= 1, f"{path} has no {before!r}"
    head, _, tail = source.rpartition(before)
    path.write_text(head + text + tail)


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    """The copy, with what a contributor would add."""
    folder = copy_suite(tmp_path_factory.mktemp("suite"))
    moments = folder / "vaelib" / "stats" / "moments.py"
    moments.write_text(moments.read_text() + ESTIMATOR)
    active = '    yield Measurement(split, "active_units"'
    insert(folder / "vaelib" / "audits" / "densities.py", active, MEASUREMENT + active)
    insert(folder / "bench" / "metrics" / "latents.py", "]\n", ENTRY)
    normal = folder / "vaelib" / "priors" / "standard.py"
    normal.write_text(normal.read_text() + PRIOR)
    face = folder / "vaelib" / "priors" / "__init__.py"
    face.write_text(
        face.read_text()
        .replace('"normal": Normal', '"normal": Normal, "shifted": Shifted')
        .replace("import Normal", "import Normal, Shifted")
    )
    (folder / "bench" / "commands" / "greet.py").write_text(COMMAND)
    insert(folder / "bench" / "cli.py", "def main(", DECLARED.strip())
    return folder


@pytest.mark.slow
def test_a_metric_and_a_prior_reach_rows_pages_glossary_and_listing(suite):
    matrix = tiny_matrix(suite, 'prior = { name = "shifted" }')
    vaebench(suite, "run", matrix, "--results", "out", "--workers", "1")
    rows = pd.read_csv(suite / "out" / "small" / "rows.csv")
    mine = rows[rows["metric"] == "third_moment"]
    assert set(mine["split"]) == {"train", "test"} and set(mine["unit"]) == {"cubes"}
    pages = (suite / "out" / "small").glob("*.md")
    text = "\n".join(page.read_text() for page in pages)
    table = text.split("## Dimensions, moments and shape")[1].split("\n## ")[0]
    assert "E z³" in table and "nothing anybody needs" in text.split("## The columns")[1]
    assert "nothing anybody needs" in vaebench(suite, "list", "metrics")
    assert "shifted" in vaebench(suite, "list", "priors")


def test_a_command_is_declared_and_does_what_it_does(suite):
    assert "hello world" in vaebench(suite, "greet", "world")
    assert "Greet somebody" in vaebench(suite, "--help")
