"""What the rules of this folder make of one text: the text that is sent, each change on the way, each problem."""

from typing import NamedTuple

from pipeline.findings import Code


class Step(NamedTuple):
    """One change by one rule."""

    code: Code  # the rule's name, one of findings.REPAIRS
    was: str
    text: str  # after the change; never equal to `was`


class Problem(NamedTuple):
    """What keeps a rule from reading the text, or what is doubtful about it; the code says how severe that is."""

    code: Code
    message: str
    hint: str = ""  # "" takes the catalogue's


class Reading(NamedTuple):
    """One text of one property after all rules that concern it."""

    text: str
    steps: tuple[Step, ...] = ()
    problems: tuple[Problem, ...] = ()
