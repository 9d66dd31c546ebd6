"""What our reports carry beside a row's cells, in forms that survive a spreadsheet and are understood again. No I/O."""

import json
import re
from collections.abc import Mapping

MOST_CHARACTERS = 400
"""Of an identifier that is carried; none is so long."""

MOST_JSON_CHARACTERS = 16_000


def identifiers_text(texts: Mapping[str, str]) -> str:
    """Return the texts by property as a JSON object, "" for none.

    No spreadsheet takes it for anything but text, and as it is ASCII, no encoding changes it. What is too long for an
    identifier is left out.
    """
    kept = {name: text for name, text in texts.items() if _is_kept(text)}
    return json.dumps(kept) if kept else ""


def identifiers_in(cell: str) -> Mapping[str, str]:
    """Return the texts that `identifiers_text` wrote; none from a cell that holds anything else, whatever it is."""
    text = cell.strip()
    if not text.startswith("{") or len(text) > MOST_JSON_CHARACTERS:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    # Half of a surrogate pair, which JSON can spell, could not be written down again.
    texts = {name: each.encode("utf-8", "replace").decode() for name, each in found.items() if isinstance(each, str)}
    return {name: each for name, each in texts.items() if _is_kept(each)}


def _is_kept(text: str) -> bool:
    return bool(text.strip()) and len(text) <= MOST_CHARACTERS


ANOTHER = re.compile(r"\(another ([A-Za-z]+)\)$")


def another_column(header: str, name: str) -> str:
    """Return the header for a file's further column of a property, in a table together with files that have one only.

    Under its own header it would be a second column of the property for the rows of all files.
    """
    return f"{header.strip()} (another {name})"


def property_of_another(header: str) -> str:
    """Return the property in a header that `another_column` made, "" for any other."""
    found = ANOTHER.search(header.strip())
    return found[1] if found else ""
