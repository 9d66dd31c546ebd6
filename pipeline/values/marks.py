"""What no text should hold: invisible marks, blanks around it, traces of lost characters and failed formulas."""

from pipeline.findings import Code
from pipeline.identity import UNBREAKABLE_BLANKS, failed_formula, without_marks
from pipeline.values.steps import Problem, Reading, Step

REPLACEMENT_CHARACTER = "\ufffd"


def find_damage(text: str) -> Reading:
    """Return the text with the problem that it is what a damaged cell shows, if it is."""
    shown = failed_formula(text)
    if shown:
        return Reading(text, problems=(Problem(Code.ERROR_CELL, f"the cell shows the error {shown}"),))
    if REPLACEMENT_CHARACTER in text:
        place = text.index(REPLACEMENT_CHARACTER) + 1
        message = f"character {place} is U+FFFD, which stands where a conversion lost a character"
        return Reading(text, problems=(Problem(Code.LOST_CHARACTER, message),))
    return Reading(text)


def take_out_marks(text: str) -> Reading:
    """Return the text without invisible marks, and with ordinary blanks for those that do not break a line.

    Such blanks and marks at the ends go altogether. Joiners that spell (Persian, emoji) stay.
    """
    if text.isascii():
        return Reading(text)
    # Blanks first: a joiner beside one joins nothing.
    plain = without_marks(text.translate(UNBREAKABLE_BLANKS))
    if plain == text:
        return Reading(text)
    # An ordinary blank at an end is told on its own; one behind a mark came along with the mark.
    if not text[0].isascii():
        plain = plain.lstrip()
    if not text[-1].isascii():
        plain = plain.rstrip()
    return Reading(plain, (Step(Code.INVISIBLE_MARK, text, plain),))


def trim(text: str) -> Reading:
    """Return the text without blanks around it."""
    trimmed = text.strip()
    return Reading(text) if trimmed == text else Reading(trimmed, (Step(Code.SURROUNDING_SPACE, text, trimmed),))
