"""What files hold and how their columns could be mapped: to look at and to paste, before anything is validated.

    tables.py  what each table of a file holds
    block.py   the lines for config.yaml, one block for all tables

Reads the beginning of the files, and nothing else: no ledger, no network, no folder of a run.
"""

from pipeline.inspect.block import mapping_yaml
from pipeline.inspect.tables import (
    Declared,
    InspectedColumn,
    InspectedTable,
    PresetUse,
    Undeclared,
    WordsWithoutMember,
    inspect_file,
)

__all__ = [
    "Declared",
    "InspectedColumn",
    "InspectedTable",
    "PresetUse",
    "Undeclared",
    "WordsWithoutMember",
    "inspect_file",
    "mapping_yaml",
]
