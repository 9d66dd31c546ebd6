"""Texts that fit a terminal: lines no wider than it, in characters that its encoding has.

Widths are cells: a Chinese or Japanese character takes two of them. Measured here and not by Rich, because a typing
error is answered without loading it.
"""

import re
from collections.abc import Iterator
from unicodedata import category, east_asian_width

MOST_COLUMNS = 80
"""What is shown while a run goes on, and what is told on stderr, is no wider, however wide the terminal is."""

BLOCK, REST = "\u2501", "\u2500"
"""The signs that a bar is drawn with."""

WORD = re.compile(r"`[^`]*`\S*|\S+")
"""What stands between backticks is to be copied, so it is one word."""

COMMAND = re.compile(r"(?<=\S): (?=certstate )")
"""Behind it a sentence is a command up to its end."""

PLAIN = {
    "\u2026": "...",
    "\u2192": "->",
    "\u2013": "-",
    "\u2014": "-",
    "\u2018": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
}
"""What stands for a sign of ours, or of typesetters, where the encoding has none."""


def showable(text: str, encoding: str) -> str:
    """Return the text in characters that the encoding has: others become ASCII that looks alike, or an escape."""
    if _can_show(text, encoding):
        return text
    return "".join(each if _can_show(each, encoding) else _plain(each) for each in text)


def cells(text: str) -> int:
    """Return how many cells of a terminal the printable text takes, at the most."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def chopped(text: str, room: int) -> list[str]:
    """Return the text in pieces of at most so many cells, at least two."""
    pieces, begins, taken = [], 0, 0
    for at, character in enumerate(text):
        width = _cells_of(character)
        if taken + width > room:
            pieces.append(text[begins:at])
            begins, taken = at, 0
        taken += width
    return [*pieces, text[begins:]]


def has_signs(encoding: str) -> bool:
    """Return whether the encoding has the signs that a bar is drawn with."""
    return _can_show(BLOCK + REST, encoding)


def wrapped(text: str, width: int, *, first: str = "", indent: int = 0, keeps_paths: bool = False) -> list[str]:
    """Return the text in lines of at most so many cells: `first` before the first, so many blanks before the others.

    Words are split only when a line of their own is too narrow; with `keeps_paths` those with a slash never are.
    """
    margin = " " * indent
    lines, line, has_words = [], first, False
    for piece in _pieces(text, max(width - max(indent, cells(first)), 8), keeps_paths=keeps_paths):
        if has_words and cells(line) + 1 + cells(piece) > width:
            lines.append(line)
            line, has_words = margin, False
        line += f" {piece}" if has_words else piece
        has_words = True
    return [*lines, line if has_words else line.rstrip()]


def told(sentence: str, width: int) -> list[str]:
    """Return a sentence on stderr in lines that fit; the command at its end stands whole on a line of its own."""
    start = len(sentence) - len(sentence.lstrip())
    prose, *command = COMMAND.split(sentence.strip(), maxsplit=1)
    if cells(sentence) <= width:
        return [sentence]
    prose += ":" if command else ""
    lines = wrapped(prose, width, first=" " * start, indent=start + 2, keeps_paths=True)
    return [*lines, *(f"{' ' * (start + 2)}{each}" for each in command)]


def cut(text: str, width: int) -> str:
    """Return the text, its end replaced by dots where it has more cells."""
    if cells(text) <= width:
        return text
    return chopped(text, max(width - 3, 2))[0].rstrip() + "..."


def filled(text: str, width: int) -> str:
    """Return the text with blanks behind it, so that it takes so many cells."""
    return text + " " * (width - cells(text))


def _pieces(text: str, room: int, *, keeps_paths: bool) -> Iterator[str]:
    for word in WORD.findall(text):
        is_path = keeps_paths and ("/" in word or "\\" in word)
        yield from [word] if is_path or cells(word) <= room else chopped(word, room)


def _cells_of(character: str) -> int:
    if character == "\ufe0f":  # makes the character before it an emoji, which is wider
        return 1
    if category(character) in {"Mn", "Me"}:
        return 0
    return 2 if east_asian_width(character) in {"W", "F"} else 1


def _can_show(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _plain(character: str) -> str:
    return PLAIN.get(character) or character.encode("unicode_escape").decode("ascii")
