"""Row and file problems are values: their stable codes, the catalogue, and how one is made. No I/O.

codes.py      Code, Severity, and which codes are rules that change a value
catalogue.py  what each code means and what to do
finding.py    Finding and `finding()`
"""

from pipeline.findings.catalogue import CATALOGUE, Meaning
from pipeline.findings.codes import DECLARED, REPAIRS, Code, Severity
from pipeline.findings.finding import ARROW, Finding, change, finding, shorten, text_after

__all__ = [
    "ARROW",
    "CATALOGUE",
    "DECLARED",
    "REPAIRS",
    "Code",
    "Finding",
    "Meaning",
    "Severity",
    "change",
    "finding",
    "shorten",
    "text_after",
]
