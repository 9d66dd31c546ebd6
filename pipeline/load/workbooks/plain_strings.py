"""The list of strings of an .xlsx, where each is `<si><t>` and a text: for sheets that calamine need not read."""

import re

from pipeline.load.workbooks.package import BLOCK_BYTES, Package, check_encoding

ATTRIBUTES = r"""(?:\s+[\w.:-]+=(?:"[^"<>&]*"|'[^'<>&]*'))*+\s*"""
BEGIN = re.compile(rf"\A\ufeff?(?:<\?xml{ATTRIBUTES}\?>\s*)?<sst{ATTRIBUTES}>", re.ASCII)
END = "</sst>"
STRING_BEGIN, STRING_END = "<si><t>", "</t></si>"
PRESERVING = '<si><t xml:space="preserve">'
BETWEEN = STRING_END + STRING_BEGIN
TAGS_OF_A_STRING = 4
ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))  # the last one last
ESCAPE = re.compile("_x[0-9A-Fa-f]{4}_")
PRESERVED = "\0"  # no character of XML


def plain_strings(package: Package, part: str, limit: int) -> list[str] | None:
    """Return the strings as calamine reads them; None when one is not plain, or when there are more than `limit`.

    That is one with formatting within it, a reading aid, a carriage return, an escape, a reference to a character,
    or white space around it that is not marked as to be kept. Raises SourceError like `Package.blocks`, and
    when the part is not in UTF-8.
    """
    strings: list[str] = []
    carry = b""
    is_first = True
    for block in package.blocks(part):
        if is_first and not carry:
            check_encoding(package, part, block)
        octets = carry + block
        end = octets.rfind(b"</si>") + 5
        if end < 5:
            if len(octets) > 4 * BLOCK_BYTES:
                return None
            carry = octets
            continue
        carry = octets[end:]
        found = _strings_in(octets[:end], is_first=is_first)
        if found is None or len(strings) + len(found) > limit:
            return None
        strings += found
        is_first = False
    if is_first or carry.strip() != END.encode():
        return None
    return strings


def _strings_in(octets: bytes, *, is_first: bool) -> list[str] | None:
    """Return the strings of a part's piece, which ends behind one; None when one is not plain."""
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return None
    if is_first:
        begin = BEGIN.match(text)
        text = text[begin.end() :] if begin else ""
    if PRESERVED in text or "\r" in text or ("_x" in text and ESCAPE.search(text)):
        return None
    found = _texts_in(text)
    if found is None or "&" not in text:
        return found
    if text.count("&") != sum(text.count(entity) for entity, _ in ENTITIES):
        return None
    return [_without_entities(each) if "&" in each else each for each in found]


def _texts_in(text: str) -> list[str] | None:
    """Return what stands in the `<si><t>` one behind the other, None when there is anything else."""
    bare, preserving = text.count(STRING_BEGIN), text.count(PRESERVING)
    if preserving:
        text = text.replace(PRESERVING, STRING_BEGIN + PRESERVED if bare else STRING_BEGIN)
    found = text[len(STRING_BEGIN) : -len(STRING_END)].split(BETWEEN)
    tags = TAGS_OF_A_STRING * len(found)
    is_plain = (
        text.startswith(STRING_BEGIN)
        and text.endswith(STRING_END)
        and (len(found), tags, tags) == (bare + preserving, text.count("<"), text.count(">"))
    )
    if not is_plain or not bare:
        return found if is_plain else None
    if not preserving:
        return found if list(map(str.strip, found)) == found else None
    # calamine strips the white space of XML from those that are not marked; which one that is, is left to it
    if any(each != each.strip() for each in found if each[:1] != PRESERVED):
        return None
    return [each.removeprefix(PRESERVED) for each in found]


def _without_entities(text: str) -> str:
    for entity, character in ENTITIES:
        text = text.replace(entity, character)
    return text
