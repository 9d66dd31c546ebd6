"""Property values, changed only by the rules that config.yaml declares: `values:` and `defaults:`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.model import Values


@dataclass(frozen=True, slots=True)
class ValueRules:
    """For each place of `Values.texts` the declared replacements, and the value of an empty cell."""

    replacements: tuple[Mapping[str, str], ...]  # keys as `_fold` leaves them
    defaults: tuple[str, ...]

    @property
    def change_nothing(self) -> bool:
        """True when no rule is declared, which is the usual case."""
        return not any(self.replacements) and not any(self.defaults)


def value_rules(
    names: Sequence[str], replacements: Mapping[str, Mapping[str, str]], defaults: Mapping[str, str]
) -> ValueRules:
    """Return the rules in the order of `names`, the column map's names.

    A replacement is for the whole cell; blanks around it and letter case make no difference.
    """
    return ValueRules(
        tuple({_fold(was): now for was, now in replacements.get(name, {}).items()} for name in names),
        tuple(defaults.get(name, "") for name in names),
    )


def apply_rules(values: Values, rules: ValueRules) -> Values:
    """Return the values with the declared replacements made and empty cells filled."""
    if rules.change_nothing:
        return values
    texts = tuple(
        replacements.get(_fold(text), text) if text.strip() else default
        for text, replacements, default in zip(values.texts, rules.replacements, rules.defaults, strict=True)
    )
    # A replaced cell is no longer the workbook's number: what config.yaml declares is text.
    not_text = tuple(each for each in values.not_text if texts[each[0]] == values.texts[each[0]])
    return Values(values.columns, texts, not_text)


def _fold(text: str) -> str:
    return text.strip().casefold()
