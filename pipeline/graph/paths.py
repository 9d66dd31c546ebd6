"""The paths of collections and objects below the service root. Pure functions."""

import re
from urllib.parse import quote, unquote

from pipeline.model import Operation, PlannedRow

COLLECTION = re.compile(r"deviceManagement(/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]*)+")


MOST_ID_CHARACTERS = 512  # Graph's longest, of several joined GUIDs, have some 150; a URL must hold it encoded


PLAIN_ID = re.compile(rf"[0-9A-Za-z_-]{{1,{MOST_ID_CHARACTERS}}}")
"""What Graph's ids look like: GUIDs, alone or joined. There is nothing in them to look at twice."""


def is_usable_id(object_id: str) -> bool:
    """Return whether an id that the service gave can be kept and asked for.

    It is neither blank nor overlong, it is printable (a lone surrogate can be neither stored nor sent), and no part of
    it is "." or "..", however often it is percent-decoded on the way: servers resolve these even where they are
    encoded, and a DELETE would go to the parent.
    """
    if PLAIN_ID.fullmatch(object_id):
        return True
    if not object_id.strip() or len(object_id) > MOST_ID_CHARACTERS or not object_id.isprintable():
        return False
    decoded, before = object_id, ""
    while decoded != before:
        decoded, before = unquote(decoded), decoded
    return not {".", ".."} & {part.strip() for part in re.split(r"[/\\]", decoded)}


def object_path(collection: str, object_id: str) -> str:
    """Return the path of the object below the service root; the id is one segment of it, whatever it holds.

    Everything but letters, digits and "-._~" is percent-encoded (RFC 3986, 2.3). Raises ValueError for an id that is
    not usable, which no answer hands on (`is_usable_id`).
    """
    if not is_usable_id(object_id):
        raise ValueError(f"the id {object_id!r} cannot stand in a URL")
    return f"{collection.rstrip('/')}/{quote(object_id, safe='')}"


def path_of(row: PlannedRow) -> str:
    """Return what the row's request is sent to: a create goes to the collection, all else to the object."""
    return row.collection if row.operation is Operation.CREATE else object_path(row.collection, row.object_id)


def is_object_path(path: str) -> bool:
    """Return whether `path` is what `object_path` makes of a collection and an id."""
    collection, _, last = path.rpartition("/")
    object_id = unquote(last)
    return bool(
        COLLECTION.fullmatch(collection) and is_usable_id(object_id) and object_path(collection, object_id) == path
    )
