"""All that decides what a row becomes, as the configuration, the preset and the command line declare it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from pipeline.config import Settings
from pipeline.declared import SerialForm
from pipeline.editions import EDITIONS, Edition, Route
from pipeline.findings import Finding, Severity
from pipeline.identity import fold_header
from pipeline.model import EXTRA_COLUMNS
from pipeline.presets import Preset, declarations, known_headers
from pipeline.routes import Profile, RouteTable
from pipeline.templates import Template, parse_template
from pipeline.validate import Validator, open_validator
from pipeline.values import DateRules, ValueRules, value_rules


@dataclass(frozen=True, slots=True)
class Rules:
    """All that decides what a row becomes, as the configuration, the preset and the command line declare it."""

    edition: Edition
    aliases: Mapping[str, tuple[str, ...]]
    ignored_headers: frozenset[str]  # folded
    templates: Mapping[str, Template]
    defaults: Mapping[str, str]
    required_columns: frozenset[str]
    values: ValueRules
    sent_values: ValueRules  # of rows of created.csv: what was declared has been done to them already
    validator: Validator
    routes: RouteTable
    is_strict: bool  # warnings count as errors


def rules_of(settings: Settings, *, is_strict: bool, preset: Preset | None = None, repairs: bool = True) -> Rules:
    """Return the rules that the settings declare; what the preset says counts where they are silent.

    Without `repairs` values are sent as the files have them, or refused; what the settings declare is still done.
    """
    edition = EDITIONS[settings.edition]
    required = edition.required - set(settings.optional)
    names = (*(each.name for each in edition.properties), *EXTRA_COLUMNS)
    known = known_headers(preset, edition, settings.columns, settings.templates)
    declared = declarations(
        preset, timezone=settings.timezone, date_number=settings.date_number, serial=settings.serial
    )
    zone = ZoneInfo(declared.timezone) if declared.timezone else None
    return Rules(
        edition=edition,
        aliases=known.aliases,
        ignored_headers=known.ignored | {fold_header(header) for header in settings.ignored},
        templates={name: parse_template(text) for name, text in settings.templates.items()},
        defaults=settings.defaults,
        required_columns=required - set(settings.defaults),
        values=value_rules(
            edition,
            names,
            replacements=_replacements(settings, preset, names),
            defaults=settings.defaults,
            dates=DateRules(settings.date_order, declared.date_number, zone),
            serial=declared.serial,
            repairs=repairs,
        ),
        sent_values=value_rules(
            edition,
            names,
            replacements={},
            defaults={},
            dates=DateRules(),
            serial=SerialForm.HEX,
            repairs=repairs,
        ),
        validator=open_validator(edition, required=required),
        routes=RouteTable(
            edition,
            tuple(Profile(each.id, each.platform, each.name, each.profile_type) for each in settings.profiles),
            tuple(Route(each.platform, each.profile_type, each.path) for each in settings.routes),
        ),
        is_strict=is_strict,
    )


def _replacements(settings: Settings, preset: Preset | None, names: Sequence[str]) -> dict[str, dict[str, str]]:
    replacements = {name: dict(settings.values.get(name, {})) for name in names}
    if preset is not None:
        for name in names:
            replacements[name] = dict.fromkeys(preset.empty_words, "") | replacements[name]
        for name, pairs in preset.values:
            if name in replacements:
                replacements[name] = dict(pairs) | replacements[name]
    return replacements


def judged(found: Finding, rules: Rules) -> Finding:
    """Return the finding as it counts: with `--strict` a warning is an error."""
    is_raised = rules.is_strict and found.severity is Severity.WARNING
    return found._replace(severity=Severity.ERROR) if is_raised else found
