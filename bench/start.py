"""Where ``vaebench`` begins: a system that it cannot run on is refused before any import."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line, where it can run, also if it is interrupted before it has begun.

    Returns:
        The exit code of `bench.cli.main`; 64 on Windows, with one sentence, 130 if interrupted.
    """
    if sys.platform == "win32":
        try:
            import vaelib  # noqa: F401
        except ImportError as error:
            print(f"vaebench: {error}", file=sys.stderr)
            return 64
    try:
        from bench.cli import main as begin
    except KeyboardInterrupt:
        print("vaebench: interrupted; the same command begins or goes on", file=sys.stderr)
        return 130
    return begin()
