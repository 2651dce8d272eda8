"""Runs the commands of the README and the docs: ``python tests/commands.py --dist FOLDER``.

That is what ``tox -e commands`` does: each block of commands in bash, and in zsh where there is
one, in a new folder, with the wheel. What would take hours, and what means a checkout, has a small
form, which is printed. It needs nothing but Python, and no source of the suite.
"""

import argparse
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

__all__ = [
    "COMMAND",
    "MATRIX",
    "MODEL",
    "PAGES",
    "PROGRAM",
    "blocks",
    "lines_of",
    "main",
    "ours",
    "run",
    "script",
    "skipped",
    "small",
]

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
PROGRAMS = "vaebench|tox|python|pip|pytest|dask|git|uv"
COMMAND = re.compile(rf"^    ((?:[A-Z_]+=\S+ )*(?:{PROGRAMS}) .*)$", re.M)
"""A line of a page that calls a program."""
PROGRAM = re.search(r"```python\n(.*?)```", PAGES[0].read_text(encoding="utf-8"), re.S)[1]
"""The program of the README, which makes the archive that the pages speak of."""
MATRIX = '[matrix]\nname = "my_matrix"\nseeds = 2\n[base]\ntraining = { steps = 2 }\n'
"""The matrix that the pages call the reader's own."""

MODEL = """import numpy as np

with open("my_model.py", "w") as file:
    file.write("def decoder(z):\\n    return z\\n")
with np.load("posterior.npz") as held:
    np.savez("images.npz", images=held["mean"], heldout_images=held["heldout_mean"])
"""
"""A decoder of the reader's own and the inputs that the archive is of, as the pages call them."""

_SHELL = re.compile(rf"(?:[A-Z_]+=\S+ )*(?:{PROGRAMS}|mkdir|ln|openssl|export|for) ")
_BLOCK = re.compile(r"(?:(?<=\n\n)|\A)((?: {4}.*\n|\n(?= {4}))+)")
_SMALL = "--seeds 2 --set 'training.steps=50' --only base"
_FORMS = (
    (r"tox -e bench -- ", "vaebench "),  # which is what it calls
    (r"tox -e bench$", "vaebench run digits"),
    (r"(vaebench run (?:digits|mnist|fashion)(?! --dry-run)(?= |$))", rf"\1 {_SMALL}"),
    (r"(vaebench run examples/my_prior\.toml)", r"\1 --seeds 2 --set 'training.steps=50'"),
    (r"(vaebench validate)$", r"\1 --minutes 1"),
    (r"(vaebench validate .*)--minutes \d+", r"\1--minutes 1"),
    (r"^(python -m pip install '?\..*)", r"(cd source && \1)"),  # means a checkout
)
"""What is run in the place of a command."""
_SKIPPED = (
    (r"^tox -e test", "runs the tests"),
    (r"dask-jobqueue|cluster\.py|/shared/", "needs SLURM"),
    (r"--device cuda", "needs GPUs"),
    (r"vaebench run mnist", "needs the files of MNIST in VAEBENCH_DATA"),
    (r"^openssl", "needs openssl"),
)
_ONE = {" --fail-on no": 1}
"""What ends with another exit code than 0."""
_ENDS = re.compile(r"; kill -9 \$!$")  # of a process that may be done by then
_LIMIT = 1800  # seconds of a block


def blocks(text):
    """The blocks of commands of a page, each as its text without the indentation."""
    text = re.sub(r"^```.*?^```\n", "", text, flags=re.M | re.S)
    for found in _BLOCK.findall(text):
        block = re.sub(r"^ {4}", "", found, flags=re.M).strip("\n")
        if _SHELL.match(block):
            yield block


def lines_of(block):
    """The commands of a block: what goes on over several lines is one."""
    whole = ""
    for line in block.splitlines():
        whole += line + "\n"
        open_loop = len(re.findall(r"\bdo$", whole, re.M)) > len(re.findall(r"^done", whole, re.M))
        if not (line.endswith("\\") or open_loop):
            yield whole.rstrip("\n")
            whole = ""
    if whole:
        yield whole.rstrip("\n")


def ours(line):
    """Arguments of every call of the suite in a line, however it is called."""
    for part in re.split(r"&&|&|;", line):
        words = shlex.split(part)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if words[:1] == ["vaebench"]:
            yield words[1:]
        elif words[:4] == ["tox", "-e", "bench", "--"]:
            yield words[4:]


def small(line):
    """A command as it is run, which is as it stands but for what takes hours."""
    for pattern, form in _FORMS:
        line = re.sub(pattern, form, line)
    return line


def skipped(block):
    """Why a block is not run: what it needs is not here; empty where it is."""
    there = {
        "needs the files of MNIST in VAEBENCH_DATA": (_data() / "MNIST" / "raw").is_dir(),
        "needs openssl": shutil.which("openssl") is not None,
    }
    for pattern, reason in _SKIPPED:
        if re.search(pattern, block, re.M) and not there.get(reason):
            return reason
    return ""


def script(block, folder):
    """A program of a shell: the commands of a block, which ends at the first that fails."""
    parts = [f"cd {shlex.quote(str(folder))}"]
    for line in lines_of(block):
        if reason := skipped(line):
            print(f"  not run, {reason}: {line.splitlines()[0]}", flush=True)
            continue
        one = small(line)
        if one != line:
            print(f"  run as: {one}", flush=True)
        one = one.replace("/tmp/", f"{folder}/tmp/")
        expected = next((code for option, code in _ONE.items() if option in line), 0)
        fails = f'[ $code -eq {expected} ] || {{ echo "exit code $code"; exit 1; }}'
        parts += [one, "" if _ENDS.search(line) else f"code=$?; {fails}"]
    return "\n".join(parts)


def _data():
    return Path(os.environ.get("VAEBENCH_DATA") or Path.home() / ".cache" / "vaebench")


def prepared(folder, sdist):
    """A new folder with what the pages speak of: an archive, examples, a matrix, a checkout."""
    folder.mkdir(parents=True)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    next(folder.glob("vaebench-*")).rename(folder / "source")
    shutil.copytree(folder / "source" / "examples", folder / "examples")
    (folder / "my_matrix.toml").write_text(MATRIX)
    (folder / "tmp").mkdir()
    if _data().is_dir():
        (folder / "data").symlink_to(_data().resolve())
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(
        [sys.executable, "-c", PROGRAM + MODEL], cwd=folder, env=_environment(folder), check=True
    )
    return folder


def _environment(folder):
    """As a person has it who has installed the wheel and nothing set."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("VAEBENCH_", "PYTHON"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    sets = folder / "sets"
    return kept | {"PATH": path, "HOME": str(folder / "tmp"), "VAEBENCH_DATA": str(sets)}


def run(shell, text, folder):
    """Exit code and output of a program of a shell; what it leaves running is ended."""
    program = [shell, *(["-f"] if Path(shell).name == "zsh" else []), "-c", text]
    log = folder / "tmp" / "output.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            program,
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(_LIMIT)
        except subprocess.TimeoutExpired:
            code = -1
        for signal_ in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, signal_)
                time.sleep(2)  # why: no test; a scheduler leaves its port meanwhile
            except ProcessLookupError:
                break
        process.wait()
    return code, log.read_text(errors="replace")


def main(arguments):
    """Runs them; 1 where a command ends as it should not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dist", type=Path, required=True, help="a folder with the sdist")
    parser.add_argument("--shell", action="append", help="bash or zsh; all that there are")
    parser.add_argument("--page", action="append", help="such as README.md; all by default")
    asked = parser.parse_args(arguments)
    (sdist,) = asked.dist.glob("*.tar.gz")
    # Not below the repository, whose settings pytest and git would find.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        wrong = list(_failures(asked, Path(place).resolve(), sdist.resolve()))
    print("\n".join(["", *(f"failed: {title}" for title in wrong)]) if wrong else "all ran")
    return int(bool(wrong))


def _failures(asked, place, sdist):
    """Titles of the blocks that end as they should not."""
    for name in asked.shell or ("bash", "zsh"):
        shell = shutil.which(name)
        if shell is None:
            print(f"{name} is not installed")
            continue
        folder = prepared(place / name, sdist)
        where = [sys.executable, "-c", "import bench; print(bench.__file__)"]
        found = subprocess.run(where, cwd=folder, capture_output=True, text=True, check=True).stdout
        if "site-packages" not in found:
            raise SystemExit(f"expected the suite from its wheel, got {found.strip()}")
        for page in PAGES:
            if asked.page and page.name not in asked.page:
                continue
            for block in blocks(page.read_text(encoding="utf-8")):
                title = f"{name}, {page.name}: {block.splitlines()[0]}"
                if reason := _whole(block):
                    print(f"{title}\n  not run, {reason}", flush=True)
                    continue
                print(title, flush=True)
                began = time.monotonic()
                code, output = run(shell, script(block, folder), folder)
                print(f"  exit code {code} after {time.monotonic() - began:.0f} s", flush=True)
                if code:
                    yield title
                    print(re.sub(r"^", "    ", output[-3000:], flags=re.M), flush=True)


def _whole(block):
    """Why nothing of a block is run: a cluster or GPUs that are not here."""
    reason = skipped(block)
    return reason if reason.endswith(("SLURM", "GPUs", "openssl")) else ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
