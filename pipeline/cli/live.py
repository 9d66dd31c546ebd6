"""How far a run is, as words of one line, and as the few lines that a terminal shows while it goes on. No I/O."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from pipeline.cli.fitting import BLOCK, MOST_COLUMNS, REST, cells, cut, filled, wrapped
from pipeline.cli.streams import printable
from pipeline.cli.terminal import COLOURS, route_of
from pipeline.model import State
from pipeline.send import Outcome, Problem
from pipeline.wording import counted, duration

MOST_LINES = 12

LINES_LEFT_FREE = 2
"""So many lines of a low terminal keep showing what was there before."""

MOST_PROBLEMS = 3

TOLD_FROM_S = 60.0
"""From so much time left on, it is worth knowing what o'clock it is then."""

COLUMNS_FOR_PROFILES = 60

ORDER = tuple(State)
"""In which the outcomes of a route are told: what was created comes first."""

PLAIN_BLOCK, PLAIN_REST = "#", "."


@dataclass(frozen=True, slots=True)
class News:
    """How far a phase of a run is at one moment. Rates are per second, 0 where there is none yet."""

    phase: str  # such as `sending`
    done: int
    total: int
    noun: str  # what is counted
    rate: float  # over the whole phase
    recent_rate: float | None  # over the last minute; None in the first one
    left_s: float  # 0: not known
    ends_at: datetime | None  # when the phase ends, in the user's time zone
    more: tuple[str, ...] = ()
    why: str = ""  # why nothing happens
    outcomes: tuple[tuple[Outcome, int], ...] = ()
    problems: tuple[tuple[Problem, int], ...] = ()  # the newest is last


def words_of(news: News) -> str:
    """Return such as `100 of 261 rows, 5.0/s, about 33 s left`."""
    return ", ".join([*_facts(news), *([news.why] if news.why else [])])


def lines_of(news: News, *, columns: int, rows: int, is_plain: bool) -> list[Text]:
    """Return what a terminal of that size shows: each line fits. `is_plain`: it has ASCII only."""
    width = max(min(columns, MOST_COLUMNS) - 1, 10)  # the last column makes some terminals begin a new line
    most = max(min(MOST_LINES, rows - LINES_LEFT_FREE), 1)
    lines = [_bar(news, width, is_plain=is_plain)]
    lines += [Text(each) for each in _packed(_facts(news), width)]
    lines += [Text(each, style="yellow") for each in wrapped(printable(news.why), width)[:2] if news.why]
    room = max(most - len(lines), 0)
    problems = news.problems[-min(MOST_PROBLEMS, room // 2) :] if room > 1 else ()
    lines += _routes(news.outcomes, width, room - len(problems))
    lines += [_problem(problem, times, width) for problem, times in reversed(problems)]
    return lines[:most]


def _facts(news: News) -> list[str]:
    rate = f"{news.rate:,.1f}/s" if news.rate else ""
    if news.recent_rate is not None:
        rate = f"{news.recent_rate:,.1f}/s now, {news.rate:,.1f}/s overall"
    left = f"about {duration(news.left_s)} left" if news.left_s >= 1 else ""
    if left and news.ends_at is not None and news.left_s >= TOLD_FROM_S:
        left += f", until {news.ends_at:%H:%M}"
        left += f" on {news.ends_at:%Y-%m-%d}" if news.left_s >= 86_400 else ""
    facts = (f"{news.done:,} of {counted(news.total, news.noun)}", rate, left, *news.more)
    return [each for each in facts if each]


def _bar(news: News, width: int, *, is_plain: bool) -> Text:
    share = min(news.done / news.total, 1.0) if news.total else 0.0
    percent = f"{int(share * 100):>3}%"
    length = max(width - cells(news.phase) - len(percent) - 2, 4)
    filled = int(share * length)
    block, rest = (PLAIN_BLOCK, PLAIN_REST) if is_plain else (BLOCK, REST)
    line = Text(f"{news.phase} ")
    line.append(block * filled, "green")
    line.append(rest * (length - filled), "dim")
    line.append(f" {percent}")
    return _fitted(line, width)


def _packed(facts: Sequence[str], width: int) -> Iterator[str]:
    """Yield the facts in lines that fit; a fact is not split unless a line is too narrow for it."""
    line = ""
    for fact in facts:
        joined = f"{line}, {fact}" if line else fact
        if line and cells(joined) > width - 1:  # room for a comma
            yield f"{line},"
            joined = fact
        line = cut(joined, width - 1)
    yield line


def _routes(outcomes: Sequence[tuple[Outcome, int]], width: int, room: int) -> Iterator[Text]:
    """Yield what became of the rows, by collection; where only one line has room, of all together."""
    by_collection: dict[str, Counter[State]] = {}
    for (collection, state), rows in outcomes:
        if rows:
            by_collection.setdefault(collection, Counter())[state] = rows
    routes = [(route_of(collection), states) for collection, states in by_collection.items()]
    if len(routes) > 1 and room == 1:
        together = sum((states for _, states in routes), Counter[State]())
        yield _fitted(Text(f"{counted(len(routes), 'route')}  ").append_text(_states(together)), width)
        return
    shown = routes if len(routes) <= room else routes[: max(room - 1, 0)]
    names = max((cells(route.name) for route, _ in shown), default=0)
    for route, states in shown:
        line = Text(f"{filled(route.name, names)}  ")
        if width >= COLUMNS_FOR_PROFILES:
            line.append(f"{filled(route.profile, 10)}  ", "dim")
        yield _fitted(line.append_text(_states(states)), width)
    if shown and len(routes) > len(shown):
        yield Text(f"and {counted(len(routes) - len(shown), 'more route')}")


def _states(states: Mapping[State, int]) -> Text:
    line = Text()
    for state in sorted(states, key=ORDER.index):
        line.append(", " if line else "")
        line.append(f"{states[state]:,} {state}", COLOURS.get(state, ""))
    return line


def _problem(problem: Problem, times: int, width: int) -> Text:
    what = "not sent" if problem.state is State.PLANNED else problem.state.value
    status = str(problem.http_status) if problem.http_status else ""
    often = f"{times:,} times" if times > 1 else ""
    about = " ".join(each for each in (what, status, problem.graph_code) if each)
    start = ", ".join(each for each in (about, route_of(problem.collection).name, often) if each)
    message = " ".join(problem.message.split())
    return Text(cut(printable(f"{start}: {message}" if message else start), width), style="red")


def _fitted(line: Text, width: int) -> Text:
    if line.cell_len > width:
        line.truncate(width - 3, overflow="crop")
        line.append("...")
    return line
