"""Tables that LaTeX takes, whatever the names; compiled where there is one."""

import re
import shutil
import subprocess

import pytest

from bench.export.latex import as_latex, escaped, number
from bench.report.leaderboard import board
from tests.bench.export.conftest import HOSTILE

PDFLATEX = shutil.which("pdflatex")
PACKAGES = ("booktabs", "longtable")


def parts(text):
    """The lines of each table between its rules, without their end."""
    bodies = re.findall(r"\\midrule\n(.*?)\\bottomrule", text, re.DOTALL)
    return [[line.removesuffix(r" \\") for line in body.splitlines()] for body in bodies]


def check(text):
    """Balanced braces, equal rows, nothing that LaTeX would read as a command of its own."""
    body = re.sub(r"(?m)^%.*$", "", text)
    assert body.isascii() or set(re.sub(r"[\x00-\x7f]", "", body)) <= set("éÉü")
    plain = re.sub(r"\\[\\{}&%$#_]", "", body)
    depth = 0
    for char in plain:
        depth += {"{": 1, "}": -1}.get(char, 0)
        assert depth >= 0
    assert depth == 0 and plain.count("$") % 2 == 0
    outside = re.sub(r"\$[^$]*\$", "", plain)
    assert not set("_%#^~<>|") & set(outside)
    for rows in parts(text):
        assert rows and len({len(re.findall(r"(?<!\\)&", row)) for row in rows}) == 1
    for line in body.splitlines():
        if r"\caption" in line or r"\label" in line:
            assert not re.search(r"(?<!\\)&", line)


def test_the_table_is_the_leaderboard(one):
    text, found = as_latex(one, "vaebench export one --format latex"), board(one.models)
    check(text)
    assert text.startswith("% Made by vaebench export one --format latex; needs \\usepackage{boo")
    assert r"\toprule" in text and r"\label{tab:one-leaderboard}" in text
    (rows,) = parts(text)
    names = [re.match(r"\\texttt\{(.*?)\} &", row)[1].replace(r"\_", "_") for row in rows]
    assert names == list(found.order)
    best = found.columns[0].texts[found.order[0]]
    mean, half = best.strip("*").split(" ± ")
    assert rf"$\mathbf{{{mean} \pm {half}}}$" in rows[0]


def test_each_data_set_has_its_table_and_hostile_names_are_text(two):
    text = as_latex(two, "vaebench export two --format latex")
    check(text)
    assert len(parts(text)) == 2 and r"a\_b \& é$\beta$" in text
    assert r"\textbackslash{}\textbackslash{} \#1" in text
    labels = re.findall(r"\\label\{(.*)\}", text)
    assert len(set(labels)) == 2 and all(re.fullmatch(r"[\w:-]+", label) for label in labels)


def test_a_table_longer_than_a_page_breaks(one, monkeypatch):
    monkeypatch.setattr("bench.export.latex._LONG", 3)
    text = as_latex(one, "vaebench export one --format latex")
    assert r"needs \usepackage{booktabs} and \usepackage{longtable}." in text
    assert r"\begin{longtable}" in text and r"\begin{table}" not in text


@pytest.mark.parametrize(
    ("cell", "latex"),
    [
        ("0.31 ± 0.02", r"$0.31 \pm 0.02$"),
        ("**-1,230 ± 570**", r"$\mathbf{-1{,}230 \pm 570}$"),
        ("[(9.7 ± 2.1)e-5]", r"{[}$(9.7 \pm 2.1) \times 10^{-5}$]"),
        ("2e-05", r"$2 \times 10^{-5}$"),
        ("4–11", "4--11"),
        ("–", "--"),
        ("3 of 10", "3 of 10"),
        ("**3 of 10**", r"\textbf{3 of 10}"),
    ],
)
def test_a_cell_of_a_page_is_mathematics(cell, latex):
    assert number(cell).replace("{]}", "]") == latex


def test_every_character_is_shown():
    for char in map(chr, (*range(0x250), *range(0x370, 0x400), 0x202E, 0xD800, 0x1F600)):
        text = escaped(char)
        assert text and text.isprintable()
        assert text.isascii() or text == char
        check(text if text.isascii() else "")


@pytest.mark.skipif(PDFLATEX is None, reason="there is no pdflatex on the PATH")
@pytest.mark.parametrize("long", [False, True])
def test_it_compiles(one, two, tmp_path, monkeypatch, long):
    monkeypatch.setattr("bench.export.latex._LONG", 3 if long else 40)
    letters = "".join(map(chr, (*range(0x20, 0x250), *range(0x370, 0x400))))
    tables = [as_latex(results, "vaebench export x --format latex") for results in (one, two)]
    lines = [r"\documentclass{article}", *(rf"\usepackage{{{name}}}" for name in PACKAGES)]
    lines += [r"\begin{document}", *tables, escaped(f"{HOSTILE} {letters} ‖↑→²³·×≤≥…—")]
    (tmp_path / "x.tex").write_text("\n".join([*lines, r"\end{document}"]))
    command = [PDFLATEX, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "x.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "x.pdf").stat().st_size
