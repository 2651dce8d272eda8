"""``python -m bench`` is ``vaebench``."""

import os
import sys

if __name__ == "__main__":
    if sys.path[:1] == [os.getcwd()] and not sys.flags.safe_path:
        here = sys.path.pop(0)  # lest a rich.py or torch.py beside an archive be run
        if os.path.dirname(os.path.dirname(os.path.abspath(__file__))) == here:
            sys.path.append(here)  # where the suite itself lies
    from bench.start import main

    raise SystemExit(main())
