"""What the tests of the value rules share: readings as they are expected, and texts that no pattern may choke on."""

from itertools import pairwise

from pipeline.findings import Code
from pipeline.values.steps import Problem, Reading, Step

MOST = 32_767  # characters of a spreadsheet's cell


def changed(code: Code, was: str, text: str) -> Reading:
    """Return the reading of one step."""
    return Reading(text, (Step(code, was, text),))


def refused(code: Code, text: str, message: str, hint: str = "") -> Reading:
    """Return the reading that leaves the text as it is, with one problem."""
    return Reading(text, (), (Problem(code, message, hint),))


def is_chained(text: str, reading: Reading) -> bool:
    """Return True if the steps lead from `text` to the reading's text, and each changes something."""
    texts = [text, *(step.text for step in reading.steps)]
    return (
        [step.was for step in reading.steps] == texts[:-1]
        and texts[-1] == reading.text
        and all(was != now for was, now in pairwise(texts))
    )


def _filled(*parts: str, end: str = "") -> str:
    start, repeated = parts[0], parts[-1]
    return (start + repeated * MOST)[: MOST - len(end)] + end


ADVERSARIAL = tuple(
    _filled(*parts, end=end)
    for parts in (
        *(("A",), ("0",), ("9",), (" ",), ("?",), ("-",), (":",), ("(",), (",",), ("#",), ("\u00a0",), ("\u200e",)),
        *(("A", " "), ("AA", " "), ("1.",), ("1e",), ("0x",), ("12:",), ("12-",), ("AA ",), ("1234 ",), ("A", " :")),
        *(("(a0",), ("a (",), ("a (a0 ",), ("0x1 (",), ("1 (0x",), ("1", "0"), ("-0x", "f"), ("RSA ",), ("a, ",)),
        *(
            ("\u200d",),
            ("\u200c", "\u200e"),
            ("windows ",),
            ("#N/A ",),
            ("\u200e ",),
            ("\u00e9\u200d",),
            ("\u0660",),
            ("\ufffd",),
            ("\n",),
            ("-1 (-0x",),
        ),
    )
    for end in ("", "x", ")", "!", "\u0660")
)
"""Long runs of what the patterns repeat, with an end that makes them fail."""
