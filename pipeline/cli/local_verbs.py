"""The verbs of this machine: simulator, demo, ledger. What is heavy is imported by the verb that needs it."""

from typing import Annotated

import typer

from pipeline.cli import options as o
from pipeline.cli.ending import ending


def simulate_verb(
    context: typer.Context,
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65_535, help="Port to listen on; 0 takes a free one.")
    ] = 8080,
    edition: Annotated[str, typer.Option("--edition", metavar="NAME", help="1706 or current.")] = "1706",
    quota: Annotated[str, typer.Option("--quota", metavar="N/Ns", help="Writes per seconds for one app.")] = "100/20s",
    tenant_quota: Annotated[
        int, typer.Option("--tenant-quota", metavar="N", help="Writes in the same time for all apps.")
    ] = 200,
    others: Annotated[int, typer.Option("--others", metavar="N", help="Writes of these that other apps use.")] = 0,
    read_quota: Annotated[
        int, typer.Option("--read-quota", metavar="N", help="Reads in the same time for one app.")
    ] = 1000,
    window: Annotated[
        str, typer.Option("--window", metavar="NAME", help="How the quota's window moves: sliding or fixed.")
    ] = "sliding",
    refusals_count: Annotated[
        bool, typer.Option("--refusals-count", help="Refused requests count against the quota too.")
    ] = False,
    retry_after: Annotated[
        str, typer.Option("--retry-after", metavar="FORM", help="seconds, decimal, comma, date or absent.")
    ] = "seconds",
    errors: Annotated[
        str, typer.Option("--errors", metavar="SHAPE", help="Error bodies: graph, intune, empty or html.")
    ] = "graph",
    latency_s: Annotated[float, typer.Option("--latency-s", metavar="S", help="Seconds before each answer.")] = 0.0,
    read_delay_s: Annotated[
        float, typer.Option("--read-delay-s", metavar="S", help="Seconds until reads see what was written.")
    ] = 0.0,
    token: Annotated[
        str | None, typer.Option("--token", metavar="TEXT", help="The only bearer token that is let in.")
    ] = None,
    token_lifetime_s: Annotated[
        float | None, typer.Option("--token-lifetime-s", metavar="S", help="Seconds after which a token is refused.")
    ] = None,
    page_size: Annotated[int, typer.Option("--page-size", metavar="N", help="Objects on one page of a list.")] = 100,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="NAME=RATE", help="Such as error_504_after=0.02; again for more."),
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option("--profile", metavar="GUID=TYPE", help="A profile and its type, such as iosScep; again for more."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same faults and ids.")] = 0,
) -> None:
    """Run a stand-in for Graph on this machine, to rehearse with."""
    with ending(context.obj):
        from pipeline.cli.simulation import Ordered, simulate

        simulate(
            context.obj,
            host,
            port,
            Ordered(
                edition=edition,
                quota=quota,
                tenant_quota=tenant_quota,
                others=others,
                read_quota=read_quota,
                window=window,
                refusals_count=refusals_count,
                retry_after=retry_after,
                errors=errors,
                latency_s=latency_s,
                read_delay_s=read_delay_s,
                token=token,
                token_lifetime_s=token_lifetime_s,
                page_size=page_size,
                faults=tuple(fault or ()),
                profiles=tuple(profile or ()),
                seed=seed,
            ),
        )


def demo_verb(context: typer.Context) -> None:
    """Import sample_data into a simulator of its own."""
    with ending(context.obj):
        from pipeline.cli.simulation import demo

        demo(context.obj)


ledger = typer.Typer(help="Look after the ledger.")


@ledger.command("check")
def check_verb(context: typer.Context, state: o.State = None) -> None:
    """Check that the ledger agrees with itself; changes nothing."""
    asked = o.Asked(state=state)
    with ending(context.obj, sends=False):
        from pipeline.cli.soundness import check

        check(context.obj, asked)
