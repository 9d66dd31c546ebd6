"""Workbooks for people: errors.xlsx, the file to fix, and the annotated copy of a workbook of the user's own.

texts.py     any text as a cell that Excel reads as exactly that text; names of sheets
marks.py     colours and comments: which cell of a row a finding belongs to
to_fix.py    errors.xlsx
text_sheet.py  a sheet of texts, written row by row
causes.py    the sheet `causes`
parts.py     the parts of an .xlsx package as they stand in the file
raw_sheet.py one sheet of it
losses.py    what openpyxl would drop of a workbook
sameness.py  whether a copy holds what the original holds
annotated.py the annotated copy
"""

from pipeline.report.workbook.annotated import annotate
from pipeline.report.workbook.to_fix import input_workbook, write_workbook

__all__ = ["annotate", "input_workbook", "write_workbook"]
