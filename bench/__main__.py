"""``python -m bench`` is ``vaebench``."""

import os
import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line, also where it is interrupted before it has begun.

    Returns:
        Its exit code.
    """
    try:
        from bench.cli import main as begin
    except KeyboardInterrupt:
        print("vaebench: interrupted; the same command begins or goes on", file=sys.stderr)
        return 130
    return begin()


if __name__ == "__main__":
    if sys.path[:1] == [os.getcwd()] and not sys.flags.safe_path:
        here = sys.path.pop(0)  # lest a rich.py or torch.py beside an archive be run
        if os.path.dirname(os.path.dirname(os.path.abspath(__file__))) == here:
            sys.path.append(here)  # where the suite itself lies
    raise SystemExit(main())
