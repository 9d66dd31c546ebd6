"""How a finding is made."""

from typing import NamedTuple

from pipeline.findings.catalogue import CATALOGUE
from pipeline.findings.codes import Code, Severity


class Finding(NamedTuple):
    """What is wrong with a file, a row or a value, and what to do."""

    code: Code
    severity: Severity
    column: str  # the header as the file spells it, shortened; "" where no single column is meant
    value: str  # as read, shortened; "" where no single value is meant
    message: str
    hint: str


VALUE_SHOWN_CHARACTERS = 200
ARROW = " -> "
EMPTY = "(empty)"


def shorten(text: str, most: int = VALUE_SHOWN_CHARACTERS) -> str:
    """Return `text` cut to what a report shows, with the cut told. Half of a surrogate pair becomes a question mark."""
    shown = text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"
    return shown.encode("utf-8", "replace").decode()


def finding(code: Code, message: str, *, column: str = "", value: str = "", hint: str = "") -> Finding:
    """Return the finding with the catalogue's severity, and its hint unless a more exact one is given.

    `message` and `hint` are kept whole: whoever puts a text of the file into them shortens it.
    """
    meaning = CATALOGUE[code]
    return Finding(code, meaning.severity, shorten(column), shorten(value), message, hint or meaning.hint)


def change(code: Code, was: str, text: str, *, column: str) -> Finding:
    """Return the finding that a rule changed a value; its message is `was -> is`, both whole: it is the only proof."""
    return finding(code, f"{_shown(was)}{ARROW}{_shown(text)}", column=column)._replace(value=_printable(was))


def text_after(found: Finding) -> str | None:
    """Return what the value became, from a finding that `change` made; None from any other."""
    before = f"{_shown(found.value)}{ARROW}"
    return found.message.removeprefix(before) if found.message.startswith(before) else None


def _shown(text: str) -> str:
    return _printable(text) if text.strip() else EMPTY


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # half of a surrogate pair is no UTF-8
