"""Phase one: files -> staged rows in the ledger, judged and routed, and planned once all files are read.

rules.py   all that decides what a row becomes
tables.py  a table as a whole: its columns, its findings
rows.py    one row after the other
files.py   the story
"""

from pipeline.ingest.files import ingest_files
from pipeline.ingest.rows import judge_rows
from pipeline.ingest.rules import Rules, rules_of
from pipeline.ingest.tables import OWN_HEADERS, columns_of, count_known

__all__ = ["OWN_HEADERS", "Rules", "columns_of", "count_known", "ingest_files", "judge_rows", "rules_of"]
