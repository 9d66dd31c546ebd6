"""The command line: the only code that prints. `app` has the verbs, `terminal` shows runs, `simulation` the rest."""

from pipeline.cli.app import main

__all__ = ["main"]
