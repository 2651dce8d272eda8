"""``python -m bench`` is ``vaebench``."""

from bench.cli import main

raise SystemExit(main())
