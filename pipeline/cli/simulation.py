"""`simulate` and `demo`: the local stand-in for Graph."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import typer
from pydantic import BaseModel, Field

from pipeline.cli.jobs import run_job
from pipeline.cli.options import Asked, Globals, Output
from pipeline.cli.streams import answer, tell
from pipeline.config import Overrides, load_settings, parse_quota
from pipeline.errors import ExitCode, UsageError
from pipeline.interrupt import catch_signals
from pipeline.run import import_files
from pipeline.simulator import (
    ErrorShape,
    FaultRates,
    Profile,
    RetryAfterForm,
    SimulatorSettings,
    Window,
    running,
    serve,
)

DEMO_QUOTA = "100/2s"
"""Ten times Intune's, so that the demo shows the waiting and is over in seconds."""

Choice = TypeVar("Choice", Window, RetryAfterForm, ErrorShape)


@dataclass(frozen=True, slots=True)
class Ordered:
    """The options of `simulate` as typed."""

    edition: str
    quota: str
    tenant_quota: int
    others: int
    read_quota: int
    window: str
    refusals_count: bool
    retry_after: str
    errors: str
    latency_s: float
    read_delay_s: float
    token: str | None
    token_lifetime_s: float | None
    page_size: int
    faults: tuple[str, ...]
    profiles: tuple[str, ...]
    seed: int


class SimulationDocument(BaseModel, frozen=True, extra="forbid"):
    """What `--output json` answers for simulate, in one line, as soon as the simulator listens."""

    schema_version: Literal[1]
    service_root: str = Field(description="What --graph-url takes.")
    edition: str
    quota: int = Field(description="Writes within the window for one app.")
    window_s: float


def simulate(chosen: Globals, host: str, port: int, ordered: Ordered) -> None:
    """Run the simulator until Ctrl-C or SIGTERM, which is how it is meant to end: exit code 0."""
    settings = _settings_of(ordered)

    def ready(service_root: str) -> None:
        if chosen.output is Output.JSON:
            document = SimulationDocument(
                schema_version=1,
                service_root=service_root,
                edition=settings.edition,
                quota=settings.quota,
                window_s=settings.window_s,
            )
            answer(f"{document.model_dump_json(ensure_ascii=True)}\n")
        else:
            answer(
                f"simulator of edition {settings.edition} at {service_root}; Ctrl-C ends it\n"
                f"import into it: certstate import FILE --graph-url {service_root}\n"
            )

    with asyncio.Runner() as runner, catch_signals(runner.get_loop()) as interrupt:
        runner.run(serve(settings, host, port, ready, interrupt.gently))


def demo(chosen: Globals) -> None:
    """Import sample_data into a simulator of its own and print the summary."""
    folder = _sample_data()
    config = folder / "config.yaml"
    files = tuple(folder / name for name in ("inventory.csv", "inventory.xlsx", "faults.csv"))
    with running(SimulatorSettings(quota=100, window_s=2.0)) as simulator:
        settings = load_settings(config, Overrides(graph_url=simulator.service_root, quota=DEMO_QUOTA))
        # Not the simulator's URL: the next command printed is for `certstate simulate`, where config.yaml points to.
        asked = Asked(files=files, is_confirmed=True)
        finished = run_job(
            replace(chosen, config=config), asked, settings, lambda job: import_files(files, job), sends=True
        )
    tell(
        "\nThat was a rehearsal: the simulator has ended, and nothing left this machine.\n"
        "For the next command start another one first, in a second terminal: certstate simulate"
    )
    if finished.exit_code is not ExitCode.UNSETTLED:  # faults.csv leaves rows to be mended
        raise typer.Exit(finished.exit_code)


def _sample_data() -> Path:
    for folder in (Path("sample_data"), Path(__file__).parents[2] / "sample_data"):
        if (folder / "config.yaml").exists():
            return folder
    raise UsageError("the folder sample_data is not here; call `certstate demo` in a checkout of the project")


def _settings_of(ordered: Ordered) -> SimulatorSettings:
    try:
        quota = parse_quota(ordered.quota)
    except ValueError as problem:
        raise UsageError(f"--quota: {problem}") from problem
    return SimulatorSettings(
        edition=ordered.edition,
        quota=quota.count,
        window_s=quota.window_s,
        tenant_quota=ordered.tenant_quota,
        others=ordered.others,
        read_quota=ordered.read_quota,
        window=_member(Window, ordered.window),
        refusals_count=ordered.refusals_count,
        retry_after=_member(RetryAfterForm, ordered.retry_after),
        error_shape=_member(ErrorShape, ordered.errors),
        latency_s=ordered.latency_s,
        read_delay_s=ordered.read_delay_s,
        token=ordered.token,
        token_lifetime_s=ordered.token_lifetime_s,
        page_size=ordered.page_size,
        faults=FaultRates.from_texts(ordered.faults),
        profiles=tuple(_profile(text) for text in ordered.profiles),
        seed=ordered.seed,
    )


def _member(members: type[Choice], text: str) -> Choice:
    try:
        return members(text)
    except ValueError as problem:
        raise UsageError(f'"{text}" is not known; use one of {", ".join(members)}') from problem


def _profile(text: str) -> Profile:
    guid, _, kind = text.partition("=")
    if not kind:
        raise UsageError(f'the profile "{text}" has no type; write GUID=TYPE, such as GUID=iosScep')
    name = kind if kind.startswith("#") else f"#microsoft.graph.{kind}CertificateProfile"
    return Profile(guid, f"Simulated {kind}", name)
