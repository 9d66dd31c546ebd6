"""The picture of how sending went: rows settled over the time of the run, the quota, and the refusals."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from math import ceil
from typing import NamedTuple

from markupsafe import Markup

from pipeline.model import REFUSED, State, StepCount
from pipeline.report.page.shown import instant
from pipeline.report.page.svg import (
    MONTHS,
    Look,
    Picture,
    Table,
    bar,
    figure,
    joined,
    key_of,
    patterns,
    rule,
    text_at,
)
from pipeline.report.summary import Pace
from pipeline.wording import counted, duration

CUT_PAUSE_S = 600.0
"""A longer time without a step is cut out of the picture; shorter ones stay, since it has no room for many cuts."""

MOST_BUCKETS = 120

WINDOWS_OF_A_BUCKET = (1, 2, 3, 6, 9, 15, 30, 45, 90, 180, 360, 720, 1_080, 2_160, 4_320)
"""How many windows of the quota one bucket may have: of 20 s each, 20 s to a day. Whole windows only, since the rows of
one window may leave all at once: parts of it say nothing about the quota."""

SETTLED = frozenset({State.CREATED, State.UPDATED, State.REJECTED, State.REVERSED, State.KEPT, State.MISSING})
"""The outcomes by which a row that was sent is settled, by its answer or by reading back."""

MOST_QUOTAS = 2.0
"""The height of the picture in quotas, at most: rows that reading back settled all at once would flatten the others."""

TOP, HEIGHT = 22, 150
BREAK_SHARE = 0.03
MOST_BREAKS_SHARE = 0.3
MOST_OFF_THE_MIDDLE = 0.15
"""How far from the middle the third time below the picture may stand, so that no two overlap on a phone."""

SHORT_S = 600.0
"""The times of a shorter run are told to the second."""

ROWS = Look("accent", "full")
TOO_MANY = Look("bad", "grid")
PAUSE = Look("muted", "slopes")


class _Bucket(NamedTuple):
    """What happened in one stretch of time."""

    start: datetime
    settled: int
    requests: int
    refused: int


class _Stretch(NamedTuple):
    """A time of sending, between two long pauses."""

    buckets: tuple[_Bucket, ...]
    pause_s: float  # how long nothing was sent before it, 0 for the first one


def pace_chart(steps: Sequence[StepCount], pace: Pace) -> Markup:
    """Return how many rows were settled over the time, "" where none was sent. The steps come in the order of time."""
    if not any(each.outcome == State.SENDING or each.outcome in SETTLED for each in steps):
        return Markup("")
    bucket_s, stretches = _stretches_of(steps, pace.window_s)
    buckets = [each for stretch in stretches for each in stretch.buckets]
    quota = pace.quota * bucket_s / pace.window_s  # in one bucket
    top = min(max(quota, *(each.settled for each in buckets)), MOST_QUOTAS * quota) * 1.05
    span = _span_text(bucket_s)
    entries = [(ROWS, f"rows settled in {span}")]
    entries += [(TOO_MANY, "some answered 429 (too many)")] * any(each.refused for each in buckets)
    entries += [(PAUSE, "pause, cut out")] * (len(stretches) > 1)
    quota_y = TOP + HEIGHT * (1 - quota / top)
    parts = (
        patterns("chart-pace", (look for look, _ in entries)),
        *_bars_of(stretches, top, quota_y, bucket_s),
        rule(TOP + HEIGHT, "axis"),
        rule(quota_y, "quota"),
        text_at(0, quota_y - 6, f"quota: {quota:,.0f} in {span}", "note halo"),
    )
    return figure(
        "chart-pace",
        "Rows settled over time",
        _finding(stretches, pace) + _told_of_long_bars([each.settled for each in buckets if each.settled > top]),
        Picture(joined(parts), TOP + HEIGHT + 40),
        about=f"One bar for each {span}, times in UTC. The line is the quota of {_quota_text(pace)}.",
        table=Table(("From (UTC)", "Rows settled", "Requests", "Answered 429"), list(_rows_of(stretches))),
        key=key_of("chart-pace", entries),
    )


def _stretches_of(steps: Sequence[StepCount], window_s: float) -> tuple[float, list[_Stretch]]:
    """Return how long a bucket is, in seconds, and the times of sending."""
    parts: list[list[_Bucket]] = []
    pauses_s: list[float] = []
    for second in _seconds_of(steps):
        gap_s = (second.start - parts[-1][-1].start).total_seconds() if parts else 0.0
        if not parts or gap_s > CUT_PAUSE_S:
            parts.append([])
            pauses_s.append(gap_s)
        parts[-1].append(second)
    bucket_s = _bucket_s([(part[-1].start - part[0].start).total_seconds() + 1 for part in parts], window_s)
    return bucket_s, [
        _Stretch(tuple(_buckets_of(part, bucket_s)), pause_s) for part, pause_s in zip(parts, pauses_s, strict=True)
    ]


def _seconds_of(steps: Iterable[StepCount]) -> Iterator[_Bucket]:
    """Yield what happened in each second in which something did."""
    for at, within in groupby(steps, key=lambda each: each.at):
        settled = requests = refused = 0
        for _, outcome, number in within:
            if outcome in SETTLED:
                settled += number
            elif outcome == State.SENDING:
                requests += number
            elif outcome == REFUSED:
                refused += number
        yield _Bucket(instant(at), settled, requests, refused)


def _bucket_s(lengths_s: Sequence[float], window_s: float) -> float:
    """Return the shortest bucket that makes no more than MOST_BUCKETS, if there is one."""
    sizes = [count * window_s for count in WINDOWS_OF_A_BUCKET]
    fits = (size for size in sizes if sum(ceil(each / size) for each in lengths_s) <= MOST_BUCKETS)
    return next(fits, sizes[-1])


def _buckets_of(seconds: Sequence[_Bucket], bucket_s: float) -> Iterator[_Bucket]:
    """Yield each bucket of one time of sending, those in which nothing happened too."""
    start, end = seconds[0].start, seconds[-1].start
    number = int((end - start).total_seconds() // bucket_s) + 1
    settled, requests, refused = [0] * number, [0] * number, [0] * number
    for second in seconds:
        place = int((second.start - start).total_seconds() // bucket_s)
        settled[place] += second.settled
        requests[place] += second.requests
        refused[place] += second.refused
    for place, counts in enumerate(zip(settled, requests, refused, strict=True)):
        yield _Bucket(start + timedelta(seconds=place * bucket_s), *counts)


def _bars_of(stretches: Sequence[_Stretch], top: float, quota_y: float, bucket_s: float) -> Iterator[Markup]:
    """Yield the bars from the left to the right, with a strip for each pause, and the times below them."""
    number = sum(len(each.buckets) for each in stretches)
    gap = min(BREAK_SHARE, MOST_BREAKS_SHARE / len(stretches))
    width = (1 - gap * (len(stretches) - 1)) / number
    x = 0.0
    places: list[tuple[float, datetime]] = []
    is_short = number * bucket_s < SHORT_S and len(stretches) == 1
    for stretch in stretches:
        if stretch.pause_s:
            tip = f"nothing was sent for {duration(stretch.pause_s)}"
            yield bar("chart-pace", PAUSE, x=x, y=quota_y, width=gap, height=TOP + HEIGHT - quota_y, tip=tip)
            x += gap
        for each in stretch.buckets:
            if each is stretch.buckets[0] or (len(stretches) == 1 and each is stretch.buckets[number // 2]):
                places.append((x, each.start))
            yield from _bar_of(each, x, width, top)
            x += width
    places.append((1.0, stretches[-1].buckets[-1].start + timedelta(seconds=bucket_s)))
    for place, at, anchor in _chosen(places):
        yield text_at(place, TOP + HEIGHT + 32, _time_text(at, is_short=is_short), "note", anchor=anchor)


def _bar_of(bucket: _Bucket, x: float, width: float, top: float) -> Iterator[Markup]:
    tip = f"{_time_text(bucket.start, is_short=True)}: {counted(bucket.settled, 'row')} settled"
    tip += f", {bucket.refused:,} answered 429" if bucket.refused else ""
    if bucket.settled:
        height = max(HEIGHT * min(bucket.settled / top, 1.0), 1.5)  # so that a single row is seen
        yield bar("chart-pace", ROWS, x=x, y=TOP + HEIGHT - height, width=width, height=height, tip=tip)
    if bucket.settled > top:
        yield text_at(x + width / 2, TOP - 4, "▲", "note", anchor="middle")
    if bucket.refused:
        yield bar("chart-pace", TOO_MANY, x=x, y=TOP + HEIGHT + 4, width=width, height=10, tip=tip)


def _chosen(places: Sequence[tuple[float, datetime]]) -> Iterator[tuple[float, datetime, str]]:
    """Yield the times to be written: the first, the last, and the one nearest to the middle where there is room."""
    first, *between, last = places
    middle = min(between, key=lambda each: abs(each[0] - 0.5), default=first)
    yield *first, "start"
    if abs(middle[0] - 0.5) <= MOST_OFF_THE_MIDDLE:
        yield *middle, "middle"
    yield *last, "end"


def _time_text(at: datetime, *, is_short: bool) -> str:
    return (
        f"{at.day} {MONTHS[at.month - 1]}, {at:%H:%M:%S}"
        if is_short
        else f"{at.day} {MONTHS[at.month - 1]}, {at:%H:%M}"
    )


def _span_text(seconds: float) -> str:
    """Return such as 20 s, 2 min or 1 h."""
    for unit_s, unit in ((3_600, "h"), (60, "min")):
        if seconds % unit_s == 0:
            return f"{seconds / unit_s:,.0f} {unit}"
    return f"{seconds:g} s"


def _quota_text(pace: Pace) -> str:
    return f"{counted(pace.quota, 'write')} in {_span_text(pace.window_s)}"


def _rows_of(stretches: Sequence[_Stretch]) -> Iterator[tuple[str | int, ...]]:
    for stretch in stretches:
        if stretch.pause_s:
            yield f"nothing for {duration(stretch.pause_s)}", "", "", ""
        for each in stretch.buckets:
            yield f"{each.start:%Y-%m-%d %H:%M:%S}", each.settled, each.requests, each.refused


def _finding(stretches: Sequence[_Stretch], pace: Pace) -> str:
    settled = sum(each.settled for stretch in stretches for each in stretch.buckets)
    told = counted(settled, "row") + " settled"
    told += f" in {duration(pace.sending_s)}" if pace.sending_s >= 1 else ""
    told += f", {pace.quota_used * 100:.0f} % of the quota used ({_quota_text(pace)})."
    if pace.refused:
        told += f" {counted(pace.refused, 'request')} {'was' if pace.refused == 1 else 'were'} answered 429 (too many)."
    pauses_s = [each.pause_s for each in stretches if each.pause_s]
    if pauses_s:
        verb = "is" if len(pauses_s) == 1 else "in all are"
        told += f" {counted(len(pauses_s), 'pause')} of {duration(sum(pauses_s))} {verb} cut out."
    return told


def _told_of_long_bars(settled: Sequence[int]) -> str:
    if not settled:
        return ""
    verb = "is" if len(settled) == 1 else "are"
    return f" {counted(len(settled), 'bar')} {verb} longer than shown, up to {counted(max(settled), 'row')}."
