"""Workbooks (.xlsx, .xlsm, .xls, .xlsb, .ods): sheets and cell types; one sheet in memory at a time.

workbook.py       the sheets as tables, read by python-calamine, or by the guard where they are plain
guard.py          what is looked at before calamine opens a sheet: bombs, far cells, errors, formulas without a result
package.py        zip archives, unpacked within bounds
extent.py         how large a rectangle a sheet's cells span
sheet_xml.py      sheets of .xlsx and .xlsm
plain_cells.py    their cells, where all are spelled in the plainest way
plain_strings.py  their list of strings, likewise
sheet_bin.py      sheets of .xlsb
sheet_ods.py      sheets of .ods
row_ods.py        cells of .ods that calamine misreads
ole.py            .xls
traps.py          what calamine does not show of a sheet
merged.py         merged cells, in the header and below
escapes.py        characters that no workbook can hold, in our own reports
"""
