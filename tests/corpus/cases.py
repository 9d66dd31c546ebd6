"""All cases of the corpus, by subject."""

from corpus import certs, dates, rows, texts, values, workbooks
from corpus.case import Case, Group

GROUPS: tuple[Group, ...] = (
    *texts.GROUPS,
    *workbooks.GROUPS,
    *values.GROUPS,
    *dates.GROUPS,
    *certs.GROUPS,
    *rows.GROUPS,
)

CASES: tuple[Case, ...] = tuple(case for group in GROUPS for case in group.cases)
