"""Text files (.csv, .tsv, .txt): encoding, delimiter, quotes; streamed.

text.py       the file as a table: its encoding, delimiter and header
text_rows.py  its rows: piece by piece the quick way, and from the first piece that needs it the thorough way
pieces.py     the quick way: pieces of whole lines, each of which is one record
records.py    the thorough way: values from pandas, widths from csv.reader
encodings.py  which encoding: byte order mark, UTF-8, UTF-16 without its mark, or detection
detection.py  the encoding that fits the words best, and how sure that is; owns charset-normalizer
alphabets.py  which letters the languages of an encoding have
dialect.py    delimiter, Excel's `sep=` line, PowerShell's `#TYPE` line
quotes.py     records whose quotes are broken, so that the file goes on behind them
"""
