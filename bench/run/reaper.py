"""Imported by the server that forks workers, alone: what dead workers leave behind is its own."""

from bench.run.isolation import keep_orphans

keep_orphans()
