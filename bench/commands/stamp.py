"""Whether pages are what their files say: by hashes, for the age of a file may lie."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path

from vaelib.files import write_atomically
from vaelib.reading import read_bytes

__all__ = ["Stamp"]

_FILE = ".pages.json"


@dataclass(frozen=True)
class Stamp:
    """What files were made of, kept beside them in ``.pages.json``.

    Attributes:
        folder: where it is kept.
        inputs: hash of what the files are made of.
    """

    folder: Path
    inputs: str

    @classmethod
    def of(cls, folder: Path, inputs: Iterable[Path], names: Iterable[str] = ()) -> "Stamp":
        """Looks at the inputs as they are now.

        Args:
            folder: where the stamp is kept.
            inputs: files; one that is not there counts as such.
            names: what else they are made of.

        Returns:
            The stamp, not yet kept.
        """
        lines = [f"{relpath(path, folder)} {_hash(path)}\n" for path in inputs]
        lines += [f"{name}\n" for name in names]
        return cls(folder, hashlib.sha256("".join(lines).encode()).hexdigest())

    def fresh(self) -> bool:
        """Whether the files were made of these inputs and are there as they were made."""
        try:
            kept = json.loads(read_bytes(self.folder / _FILE))
            made: dict[str, str] = kept["made"]
            if kept["inputs"] != self.inputs or not made:
                return False
            return all(_hash(self.folder / name) == digest for name, digest in made.items())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return False

    def keep(self, made: Mapping[Path, bytes]) -> None:
        """Writes down that files were made of these inputs.

        Args:
            made: the files and their bytes.
        """
        digests = {
            relpath(path, self.folder): hashlib.sha256(data).hexdigest()
            for path, data in made.items()
        }
        text = json.dumps({"inputs": self.inputs, "made": digests}, indent=1) + "\n"
        write_atomically(self.folder / _FILE, text.encode())


def _hash(path: Path) -> str:
    """The sha256 of a file; empty where it cannot be read."""
    try:
        return hashlib.sha256(read_bytes(path)).hexdigest()
    except (OSError, ValueError):
        return ""
