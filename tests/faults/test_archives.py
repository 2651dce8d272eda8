"""Hostile archives give an answer or one line; thousands of them: ``tests/faults/attack.py``."""

import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from tests.faults.archives import KINDS, posterior, try_case

SEEDS = range(2 * len(KINDS))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hostile_archive_gives_an_answer_or_one_line(seed, tmp_path):
    outcome = try_case(seed, tmp_path)
    assert outcome.sound, outcome
    assert list(tmp_path.iterdir()) == []


def test_no_code_in_an_archive_is_executed(tmp_path):
    place = list(KINDS).index("objects")
    for seed in range(place, place + 12 * len(KINDS), len(KINDS)):
        assert try_case(seed, tmp_path).word == "one line"


def started(path, out, *options, **environment):
    command = [sys.executable, "-m", "bench", "audit", str(path), *options]
    return subprocess.Popen(
        command, stdout=out, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )


@pytest.fixture
def good(tmp_path):
    np.savez(tmp_path / "p.npz", **posterior(np.random.default_rng(0)))
    return tmp_path / "p.npz"


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_reader_that_leaves_is_no_regression(options, good):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as out:
        process = started(good, out, *options)
    _, said = process.communicate()
    assert (process.returncode, said) == (141, "")


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_full_disk_is_one_line(options, good):
    with open("/dev/full", "w") as out:
        process = started(good, out, *options)
    _, said = process.communicate()
    assert process.returncode == 2
    assert said == "vaebench: cannot write the answer: No space left on device\n"


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_terminal_that_knows_only_ascii_is_answered(options, good):
    process = started(good, subprocess.PIPE, *options, PYTHONIOENCODING="ascii", LC_ALL="C")
    out, said = process.communicate()
    assert (process.returncode, said) == (0, "")
    assert "KL(q" in out or options


@pytest.mark.parametrize("place", ["/dev/null", "/dev/full", "a pipe", "a file"])
def test_a_report_goes_to_a_folder_and_replaces_nothing(place, good, capsys):
    from bench.cli import main

    if place == "a pipe":
        os.mkfifo(place := str(good.with_name("pipe")))
    elif place == "a file":
        place = str(good)
    before = os.lstat(place)
    assert main(["audit", str(good), "--report", place]) == 64
    said = capsys.readouterr().err
    assert said == f"vaebench: cannot write to {place}: Not a directory; choose another folder\n"
    after = os.lstat(place)
    assert (after.st_mode, after.st_ino) == (before.st_mode, before.st_ino)


def test_what_expands_without_being_announced_is_refused_unread(tmp_path):
    """Of bzip2 and lzma a few bytes may expand to a whole block, whatever is asked for."""
    from vaelib import read_latents

    stream = io.BytesIO()
    np.save(stream, np.zeros((200, 2)))
    for method, tail, said in (
        (zipfile.ZIP_BZIP2, 0, "z is compressed by a method of its own; save with np.savez"),
        (zipfile.ZIP_LZMA, 0, "z is compressed by a method of its own; save with np.savez"),
        (zipfile.ZIP_DEFLATED, 10**6, "z of 3,200 bytes is followed by 1,000,000 others; save"),
        (zipfile.ZIP_STORED, 1, "z of 3,200 bytes is followed by 1 others; save"),
    ):
        with zipfile.ZipFile(tmp_path / "z.npz", "w", method) as file:
            file.writestr("z.npy", stream.getvalue() + bytes(tail))
        with pytest.raises(ValueError, match=said):
            read_latents(tmp_path / "z.npz")


def test_a_raised_limit_reads_what_expands_far(tmp_path):
    from vaelib import read_latents

    path = tmp_path / "z.npz"
    np.savez_compressed(path, z=np.zeros((17 << 18, 4), np.float32))
    with pytest.raises(
        ValueError, match=r"bytes expand to 142,606,336, more than 100 times .* --m"
    ):
        read_latents(path)
    assert len(read_latents(path, most=1 << 25).z) == 17 << 18
    with pytest.raises(ValueError, match="takes 100 at most"):
        read_latents(path, most=100)
