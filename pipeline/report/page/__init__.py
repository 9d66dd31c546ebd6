"""report.html: one file that a browser shows without any network.

page.py         writes the page
answer.py       the answer in one sentence, and the numbers
rows.py         the lines as data for the script of the page
shown.py        how texts are shown
charts.py, expiry_chart.py, pace_chart.py   the charts; svg.py   what they are drawn with
trend.py        runs/index.html, how the runs went one after another
*.j2, *.css, page.js   what the pages are made of
"""

from pipeline.report.page.answer import answer_of
from pipeline.report.page.page import write_page

__all__ = ["answer_of", "write_page"]
