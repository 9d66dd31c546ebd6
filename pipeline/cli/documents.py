"""The kinds of JSON documents that certstate writes, and their published schemas."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from pipeline.cli.ending import ErrorDocument
from pipeline.cli.explanation_document import ExplanationDocument
from pipeline.cli.history import RowsDocument, RunDocument
from pipeline.cli.inspection import InspectionDocument
from pipeline.cli.past_runs import DifferenceDocument, RunsDocument
from pipeline.cli.simulation import SimulationDocument
from pipeline.cli.soundness import LedgerCheckDocument
from pipeline.report.document import ReportDocument
from pipeline.report.verification import VerificationDocument

DOCUMENTS: Mapping[str, type] = MappingProxyType(
    {
        "difference.v1": DifferenceDocument,
        "error.v1": ErrorDocument,
        "explanation.v1": ExplanationDocument,
        "inspection.v1": InspectionDocument,
        "ledger-check.v1": LedgerCheckDocument,
        "report.v2": ReportDocument,
        "rows.v1": RowsDocument,
        "run.v1": RunDocument,
        "runs.v1": RunsDocument,
        "simulation.v1": SimulationDocument,
        "verification.v2": VerificationDocument,
    }
)
"""Kind and version -> what makes the documents of that kind. Files in docs/schemas/ are named after it."""


class _UntitledFields(GenerateJsonSchema):
    """A field's title would only be its name again."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - the parameter is pydantic's
        return False


def schema_of(name: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the documents of that name in DOCUMENTS."""
    schema = TypeAdapter(DOCUMENTS[name]).json_schema(mode="serialization", schema_generator=_UntitledFields)
    return {"$schema": GenerateJsonSchema.schema_dialect, "$id": f"urn:certstate:schema:{name}"} | schema


def schema_text(name: str) -> str:
    """Return the schema as docs/schemas/ has it."""
    return f"{json.dumps(schema_of(name), indent=2)}\n"


def write_schemas(folder: Path) -> None:
    """Write the schemas into the folder, each into a file of its own. Raises OSError."""
    for name in DOCUMENTS:
        (folder / f"{name}.schema.json").write_text(schema_text(name), "utf-8", newline="\n")
