"""Which code measured a table: said from its hashes, or from the commit that it came with."""

import json
from pathlib import Path

import pandas as pd
import pytest

from bench.calibration.answers.audits import answers_code
from bench.calibration.measured import BEFORE, CODE, code_of, measured
from bench.calibration.page import validity_pages, write_validity
from bench.calibration.run import FULL, SUBJECTS
from bench.calibration.verdicts import raw_table
from bench.cli import main
from bench.commands.folder import claim
from bench.errors import DamagedError

COMMITTED = Path(__file__).parents[3] / "results" / "validity"


def table(*codes):
    return pd.DataFrame({"code": codes, "repetitions": 2})


def test_every_table_has_a_module_that_decides_it():
    assert set(CODE) == {*SUBJECTS, "again", "reach", "subset"}
    assert code_of("answers") == answers_code()


def test_it_is_the_present_code_or_other_code_or_both(tmp_path):
    present = code_of("excess")
    said = measured(tmp_path, "excess", table(present, present))
    assert said == f"`excess.csv` was measured by the present code, of the hash `{present}`."
    said = measured(tmp_path, "excess", table("0123456789ab"))
    assert said == (
        "`excess.csv` was measured by code of the hash `0123456789ab`, which is not the present "
        "code: it may measure something else."
    )
    said = measured(tmp_path, "excess", table(present, "0123456789ab"))
    assert "and by other code: it may measure something else" in said


def test_what_has_no_hash_names_the_commit_that_it_came_with(tmp_path):
    bare = table("a").drop(columns="code")
    assert measured(tmp_path, "power", bare) == (
        "`power.csv` was measured before hashes of the code were kept: not by the present code, "
        "which may measure something else."
    )
    came = {"power": {"commit": "abc1234", "date": "2026-01-02"}}
    (tmp_path / BEFORE).write_text(json.dumps(came))
    assert ", by commit abc1234 of 2026-01-02: not by" in measured(tmp_path, "power", bare)
    assert "by commit" not in measured(tmp_path, "levels", bare)


@pytest.mark.parametrize("text", ["[]", "{", '{"power": 3}', '{"power": {"commit": "a"}}'])
def test_a_damaged_file_of_commits_is_one_sentence(tmp_path, text):
    (tmp_path / BEFORE).write_text(text)
    with pytest.raises(DamagedError, match="expected the commit and date of tables in .*; restore"):
        measured(tmp_path, "power", table("a").drop(columns="code"))


def test_a_run_writes_the_hash_and_the_page_says_it(tmp_path):
    claim(tmp_path, ["validity-quick", "validity-quick.md", "cache"])
    assert main(["validate", "--quick", "--only", "power", "--results", str(tmp_path)]) == 0
    written = raw_table(tmp_path / "validity-quick", "power")
    assert set(written["code"]) == {code_of("power")}
    first = (tmp_path / "validity-quick.md").read_text()
    assert "The present code measured every table." in first
    page = (tmp_path / "validity-quick" / "power.md").read_text()
    assert "\n\n`power.csv` was measured by the present code, of the hash" in page


@pytest.mark.parametrize("code", ["068759826723", "123456789012", "12e456789012"])
def test_a_hash_that_looks_like_a_number_is_read_as_it_was_written(tmp_path, code):
    (tmp_path / "excess.csv").write_text(f"D,code\n2,{code}\n")
    assert raw_table(tmp_path, "excess")["code"].tolist() == [code]


def test_every_committed_table_says_which_code_measured_it(tmp_path):
    claim(tmp_path, [FULL])
    folder = tmp_path / FULL
    folder.mkdir()
    for path in (*COMMITTED.glob("*.csv"), COMMITTED / BEFORE):
        (folder / path.name).write_bytes(path.read_bytes())
    write_validity(tmp_path, FULL)
    text = "\n".join(page.read_text() for page in folder.glob("*.md"))
    for path in COMMITTED.glob("*.csv"):
        assert f"`{path.name}` was measured " in text, path.name
    assert "kept: not by" not in text, "each names its commit"


def test_the_first_page_says_in_a_line_which_tables_are_of_the_present_code(tmp_path):
    folder = tmp_path / FULL
    folder.mkdir()
    for name in ("power", "intervals"):
        raw_table(COMMITTED, name).to_csv(folder / f"{name}.csv", index=False)
    text = validity_pages(folder)[0].text
    assert "None of its tables was measured by the present code, which may measure some" in text
    frame = raw_table(COMMITTED, "power").assign(code=code_of("power"))
    frame.to_csv(folder / "power.csv", index=False)
    text = validity_pages(folder)[0].text
    assert "`power.csv` alone was measured by the present code; the others by code that" in text
