"""What the tests of ingest, send, run and kill share: a folder with a config.yaml, rows for it, a fast clock."""

import asyncio
import csv
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config import Overrides, load_settings
from pipeline.editions import EDITIONS
from pipeline.graph import Timeouts
from pipeline.ingest import ingest_files, rules_of
from pipeline.ledger import Ledger, open_ledger
from pipeline.load import LoadOptions
from pipeline.model import Scope
from pipeline.next_steps import Call
from pipeline.presets import Preset
from pipeline.run import Finished, import_files, resume_run, validate_files
from pipeline.send import Progress
from pipeline.session import Job, Question, Watcher, new_run

TENANT_ID = "11111111-2222-4333-8444-555555555555"
HEADER = tuple(each.name for each in EDITIONS["1706"].properties)
PLATFORMS = ("iOS", "macOS", "android", "androidForWork", "windowsPhone81", "windows81AndLater", "windows10AndLater")
PROFILE_OF = {platform: f"0000000{number}-0000-4000-8000-000000000000" for number, platform in enumerate(PLATFORMS)}
SCEP_CAST = "microsoft.graph.{}CertificateProfile"

Cells = Mapping[str, str]


def config_of(profile_of: Mapping[str, str]) -> str:
    """Return a config.yaml with these profiles by platform."""
    profiles = "".join(f"  - {{platform: {platform}, id: {guid}}}\n" for platform, guid in profile_of.items())
    return f"tenant: {{id: {TENANT_ID}}}\nprofiles:\n{profiles}send: {{max_errors: 100%}}\n"


def collection(platform: str, cast: str) -> str:
    """Return the path of the platform's collection below the service root."""
    return f"deviceManagement/deviceConfigurations/{PROFILE_OF[platform]}/{cast}/managedDeviceCertificateStates"


IOS = collection("iOS", SCEP_CAST.format("iosScep"))
MACOS = collection("macOS", SCEP_CAST.format("macOSScep"))


def cells_of(number: int, **changed: str) -> dict[str, str]:
    """Return a valid row of edition 1706 for the device of that number."""
    return {
        "devicePlatform": "iOS",
        "certificateKeyUsage": "digitalSignature",
        "certificateProfileDisplayName": "Corp SCEP",
        "deviceDisplayName": f"PHONE-{number:04}",
        "userDisplayName": "Erika Example",
        "serverUrl": "https://ndes.contoso.com/certsrv/mscep/mscep.dll",
        "certificateExpirationDateTime": "2027-11-23T08:49:13.1234567Z",
        "lastCertificateStateChangeDateTime": "2026-11-23T08:49:13+01:00",
        "certificateIssuer": "CN=Contoso Issuing CA",
        "certificateThumbprint": f"{number:040X}",
        "certificateSerialNumber": f"4A{number:06X}",
        "certificateKeyLength": "2048",
        "enhancedKeyUsage": "Client Authentication",
    } | changed


def devices(count: int, *, first: int = 1, **changed: str) -> list[dict[str, str]]:
    """Return valid rows of so many devices."""
    return [cells_of(number, **changed) for number in range(first, first + count)]


def write_csv(path: Path, rows: Sequence[Cells], header: Sequence[str] = ()) -> Path:
    """Write the rows as a CSV file and return its path; the header has the columns of all rows unless given."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header or list(dict.fromkeys(name for row in rows for name in row)), restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a report, apostrophes that keep cells harmless included."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


class FastTime:
    """A clock that only sleeping moves, and moves at once."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def clock(self) -> float:
        """Return the seconds."""
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.now_s += seconds
        await asyncio.sleep(0)


@dataclass
class Site:
    """A folder with a config.yaml, and the verbs as the command line would call them there."""

    folder: Path
    config: str = config_of(PROFILE_OF)
    time: FastTime = field(default_factory=FastTime)
    notes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    reading: list[tuple[int, int]] = field(default_factory=list)
    answer: bool = True  # to the question whether to send

    def write(self, name: str, rows: Sequence[Cells], header: Sequence[str] = ()) -> Path:
        """Write the rows as a CSV file of the folder."""
        return write_csv(self.folder / name, rows, header)

    def job(
        self,
        service_root: str | None = None,
        *,
        most_rows: int | None = None,
        is_strict: bool = False,
        aborts_on_invalid: bool = False,
        load: LoadOptions | None = None,
        preset: Preset | None = None,
        repairs: bool = True,
        check_remote: bool | None = None,
        environ: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
        **overrides: Any,  # noqa: ANN401 - the fields of `Overrides`, checked there
    ) -> Job:
        """Return the job that the options describe; config.yaml is written anew."""
        path = self.folder / "config.yaml"
        path.write_text(self.config, "utf-8")
        settings = load_settings(path, Overrides(graph_url=service_root, **overrides), environ={})
        return Job(
            settings=settings,
            call=Call(("certstate",), ("inventory.csv",), ()),
            watch=Watcher(
                lambda rows, expected: self.reading.append((rows, expected)),
                self.progress.append,
                self.notes.append,
                self._ask,
            ),
            environ=environ or {},
            load=load or LoadOptions(),
            preset=preset,
            repairs=repairs,
            is_strict=is_strict,
            aborts_on_invalid=aborts_on_invalid,
            most_rows=most_rows,
            check_remote=check_remote,
            clock=self.time.clock,
            sleep=self.time.sleep,
            timeouts=timeouts,
        )

    def _ask(self, question: Question) -> bool:
        self.questions.append(question)
        return self.answer

    def imported(self, service_root: str, *paths: Path, **options: Any) -> Finished:  # noqa: ANN401 - those of `job`
        """Import the files."""
        return import_files(paths, self.job(service_root, **options))

    def validated(self, *paths: Path, **options: Any) -> Finished:  # noqa: ANN401 - those of `job`
        """Check the files."""
        return validate_files(paths, self.job(**options))

    def resumed(self, service_root: str, run: str | None = None, **options: Any) -> Finished:  # noqa: ANN401 - of `job`
        """Resume a run."""
        return resume_run(run, self.job(service_root, **options))

    @contextmanager
    def planned(self, service_root: str, rows: Sequence[Cells]) -> Iterator[tuple[Ledger, str]]:
        """Yield an open ledger and the id of a run in it whose rows are planned."""
        job = self.job(service_root)
        path = self.write("planned.csv", rows)
        with closing(open_ledger(job.settings.ledger_path, Scope(service_root, TENANT_ID))) as ledger:
            with new_run(ledger, "run", self.folder / "runs" / "run", "import", job.settings):
                ingest_files(
                    [path],
                    ledger,
                    "run",
                    rules=rules_of(job.settings, is_strict=False),
                    options=job.load,
                    on_rows=job.watch.reading,
                )
            yield ledger, "run"

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """Return what the ledger's file holds, read without any code of ours."""
        with closing(sqlite3.connect(self.folder / "state" / "ledger.db")) as connection:
            return connection.execute(query).fetchall()

    def execute(self, statement: str) -> None:
        """Change the ledger's file behind our back."""
        with closing(sqlite3.connect(self.folder / "state" / "ledger.db")) as connection, connection:
            connection.execute(statement)

    def object_states(self) -> Counter[str]:
        """Return how many objects of the ledger are in which state."""
        return Counter(dict(self.select("SELECT state, count(*) FROM objects GROUP BY state")))

    def row_states(self) -> Counter[str]:
        """Return how many rows of all runs are in which state."""
        return Counter(dict(self.select("SELECT state, count(*) FROM rows GROUP BY state")))


def totals_of(finished: Finished) -> dict[str, int]:
    """Return the terms of the conservation law that are not zero."""
    return {total.label: total.rows for total in finished.summary.totals if total.rows}


def report_of(finished: Finished) -> dict[str, Any]:
    """Return report.json."""
    document: dict[str, Any] = json.loads((finished.folder / "report.json").read_text("utf-8"))
    return document


def devices_of(entities: Iterable[Mapping[str, object]]) -> list[str]:
    """Return the devices' names, sorted."""
    return sorted(str(each["deviceDisplayName"]) for each in entities)
