"""Property values: what config.yaml declares is done, what is certain is repaired, each change is recorded.

    steps.py        what a rule makes of one text: Reading, Step, Problem
    marks.py        invisible marks, blanks around, traces of lost characters and failed formulas
    identifiers.py  thumbprints and serial numbers
    words.py        enumerations, platforms, key usages, extended key usages
    numbers.py      key lengths
    dates.py        dates and times: zones and sentinels; date_forms.py their spellings, date_numbers.py bare numbers
    cells.py        what a workbook's cell type gives away
    certificate.py  values from the row's certificate, and where row and certificate differ
    rules.py        which rules concern which property, and their application to a chunk of rows

The only rules that change a value; `findings.REPAIRS` are their names.
"""

from pipeline.values.cells import find_cell_problem
from pipeline.values.certificate import RULES
from pipeline.values.dates import DateRules
from pipeline.values.rules import (
    ENHANCED_KEY_USAGES,
    Prepared,
    ReadText,
    ValueRules,
    apply_rules,
    read_text,
    value_rules,
)

CERTIFIED = frozenset(RULES)
"""The properties that a certificate says for itself."""

__all__ = [
    "CERTIFIED",
    "ENHANCED_KEY_USAGES",
    "DateRules",
    "Prepared",
    "ReadText",
    "ValueRules",
    "apply_rules",
    "find_cell_problem",
    "read_text",
    "value_rules",
]
