"""Where ``vaebench`` begins: a system that it cannot run on is refused before any import."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line, where it can run.

    Returns:
        The exit code of `bench.cli.main`; 64 on Windows, with one sentence.
    """
    if sys.platform == "win32":
        try:
            import vaelib  # noqa: F401
        except ImportError as error:
            print(f"vaebench: {error}", file=sys.stderr)
            return 64
    from bench.cli import main as command

    return command()
