"""What the simulator is told: edition, quota, error shapes, faults, profiles. No I/O."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum

from pipeline.editions import EDITIONS
from pipeline.errors import UsageError
from pipeline.identity import GUID


class Window(StrEnum):
    """How the quota's window moves."""

    SLIDING = "sliding"  # a slot is free again one window after the write that used it
    FIXED = "fixed"  # all slots are free again at each multiple of the window on the clock


class RetryAfterForm(StrEnum):
    """How a 429 says when to come back. All but `date` were seen from Graph."""

    SECONDS = "seconds"  # 10
    DECIMAL = "decimal"  # 2.128 (Microsoft's own sample until 2022-06)
    COMMA = "comma"  # 30,120 (msgraph-sdk-python#1159): only the larger number is long enough
    DATE = "date"  # RFC 9110, 10.2.3
    ABSENT = "absent"


class ErrorShape(StrEnum):
    """What the body of an error looks like. The shape holds for every error, whoever answers it."""

    GRAPH = "graph"
    INTUNE = "intune"  # error.message is a JSON text (contrib#4603)
    EMPTY = "empty"
    HTML = "html"


class Fault(StrEnum):
    """What goes wrong with one write: a create, an update or a delete. Those with a rate stand in `FaultRates`.

    A 204 has no body to damage: the three last members make the answer to a delete a 200 with the deleted object,
    damaged in the same way.
    """

    NONE = "none"
    # nothing is applied
    ERROR_500 = "error_500"
    ERROR_502 = "error_502"
    ERROR_503 = "error_503"
    ERROR_504 = "error_504"
    # applied, and then
    ERROR_504_AFTER = "error_504_after"
    # the connection is dropped, in a batch: the item is missing from the answer
    DROP_BEFORE = "drop_before"  # nothing is applied
    DROP_AFTER = "drop_after"  # applied
    SILENT = "silent"  # applied; the connection stays open and an answer never comes
    # the request is refused, nothing is applied
    THROTTLE_429 = "throttle_429"  # counts as refused; Retry-After is one second, in the form of the settings
    BAD_REQUEST_400 = "bad_request_400"
    NO_ROUTE_400 = "no_route_400"
    UNAUTHORIZED_401 = "unauthorized_401"
    FORBIDDEN_403 = "forbidden_403"
    NOT_FOUND_404 = "not_found_404"  # of a create: the profile; else the object, though it is there
    METHOD_NOT_ALLOWED_405 = "method_not_allowed_405"
    NOT_ACCEPTABLE_406 = "not_acceptable_406"
    CONFLICT_409 = "conflict_409"
    TOO_LARGE_413 = "too_large_413"
    UNSUPPORTED_MEDIA_TYPE_415 = "unsupported_media_type_415"
    UNPROCESSABLE_422 = "unprocessable_422"
    REDIRECT_307 = "redirect_307"  # to the same URL
    HTML_500 = "html_500"  # whatever the error shape of the settings
    NOT_IMPLEMENTED_501 = "not_implemented_501"
    # applied, and the 201 or 200 is damaged
    CREATED_WITHOUT_ID = "created_without_id"
    CREATED_UNREADABLE = "created_unreadable"  # the body is no JSON
    HALF_BODY = "half_body"  # the connection is dropped in the middle of the body


class ReadFault(StrEnum):
    """What goes wrong with one GET of a collection or an object. Those with a rate stand in `FaultRates`.

    Profiles are read without faults. The faults of a page leave the GET of a single object as it is.
    """

    NONE = "none"
    READ_503 = "read_503"
    READ_DROP = "read_drop"  # the connection is dropped instead of an answer
    READ_HALF = "read_half"  # the connection is dropped in the middle of the body
    SILENT = "silent"  # the connection stays open and an answer never comes
    UNREADABLE = "unreadable"  # the body is no JSON
    UNAUTHORIZED_401 = "unauthorized_401"
    FORBIDDEN_403 = "forbidden_403"
    NOT_FOUND_404 = "not_found_404"  # though it is there
    THROTTLE_429 = "throttle_429"  # counts as a refused read; Retry-After is one second, in the form of the settings
    HTML_500 = "html_500"  # whatever the error shape of the settings
    ERROR_504 = "error_504"
    # a page
    FOREIGN_LINK = "foreign_link"  # its nextLink leads to another host
    LOOPING_LINK = "looping_link"  # its nextLink leads to this page again, and so on for ever
    NO_VALUE = "no_value"  # `value` is missing


@dataclass(frozen=True, slots=True)
class FaultRates:
    """How often a write or a read goes wrong: probabilities from 0 to 1, whose sum for each of the two is at most 1.

    The fields are named like the members of `Fault` and, from `read_503` on, of `ReadFault`. Raises UsageError for a
    rate out of range.
    """

    error_500: float = 0.0
    error_502: float = 0.0
    error_503: float = 0.0
    error_504: float = 0.0
    error_504_after: float = 0.0
    drop_before: float = 0.0
    drop_after: float = 0.0
    silent: float = 0.0
    throttle_429: float = 0.0  # after the others: the draws of older seeds stay as they were
    read_503: float = 0.0
    read_drop: float = 0.0
    read_half: float = 0.0

    def __post_init__(self) -> None:
        for kind, rates in (("writes", self.of_writes()), ("reads", self.of_reads())):
            for fault, rate in rates:
                if not 0 <= rate <= 1:
                    raise UsageError(f"The rate of the fault {fault} is {rate:g}; give a number from 0 to 1.")
            total = math.fsum(rate for _, rate in rates)
            if total > 1:
                raise UsageError(
                    f"The rates of all faults of {kind} add up to {total:g}; together they can be 1 at most."
                )

    def of_writes(self) -> tuple[tuple[Fault, float], ...]:
        """Return each fault of writes with its rate, in the order of the fields."""
        return tuple(
            (Fault(each.name), getattr(self, each.name)) for each in fields(self) if not each.name.startswith("read_")
        )

    def of_reads(self) -> tuple[tuple[ReadFault, float], ...]:
        """Return each fault of reads with its rate, in the order of the fields."""
        return tuple(
            (ReadFault(each.name), getattr(self, each.name)) for each in fields(self) if each.name.startswith("read_")
        )

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> "FaultRates":
        """Return the rates of texts such as `error_504_after=0.02`. Raises UsageError for any other text."""
        names = [each.name for each in fields(cls)]
        rates: dict[str, float] = {}
        for text in texts:
            name, _, rate = text.partition("=")
            if name not in names:
                raise UsageError(f'The fault "{text}" is not known; write NAME=RATE with one of {", ".join(names)}.')
            if name in rates:
                raise UsageError(f'The fault "{name}" is given twice; give each fault one rate.')
            try:
                rates[name] = float(rate)
            except ValueError as exc:
                raise UsageError(f'The fault "{text}" has no rate; write such as {name}=0.02.') from exc
        return cls(**rates)


@dataclass(frozen=True, slots=True)
class Profile:
    """One configuration profile of the simulated tenant. Raises UsageError when the id is no GUID."""

    id: str
    display_name: str
    odata_type: str  # such as #microsoft.graph.iosScepCertificateProfile

    def __post_init__(self) -> None:
        if not GUID.fullmatch(self.id):
            raise UsageError(f'The id "{self.id}" of the profile "{self.display_name}" is not a GUID; give a GUID.')


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """How the simulator behaves. Raises UsageError for a value that makes no sense.

    The quotas' defaults are Intune's: 100 writes per 20 s for one app, 200 for all apps of a tenant, and 1000 requests
    of any kind for one app (Microsoft's throttling-intune-device-configuration.md, unchanged since 2020-06-23). Here
    the last counts GETs only: at the default, the writes that it would count as well are 100 at most.
    """

    edition: str = "1706"
    quota: int = 100  # writes per window for one app; the app is the bearer token
    window_s: float = 20.0
    tenant_quota: int = 200  # writes per window for all apps together
    others: int = 0  # writes of the tenant's quota that apps elsewhere use up in each window
    others_s: float = math.inf  # for so long, from the first write on
    read_quota: int = 1000  # GETs per window for one app; an item of a batch is one
    window: Window = Window.SLIDING
    refusals_count: bool = False  # a refused request uses a slot as well: trying too early makes the wait longer
    retry_after: RetryAfterForm = RetryAfterForm.SECONDS
    error_shape: ErrorShape = ErrorShape.GRAPH
    latency_s: float = 0.0  # between doing what a request asks for and answering it
    read_delay_s: float = 0.0  # until GET sees a create or an update; it sees a delete at once, and writes see all
    token: str | None = None  # the only bearer that is let in; None lets any in
    token_lifetime_s: float | None = None  # counted from a bearer's first use; None: for ever
    page_size: int = 100  # objects per page; a smaller $top makes it smaller
    faults: FaultRates = FaultRates()
    script: tuple[Fault, ...] = ()  # what happens to the first creates, in order of arrival; then `faults` decides
    update_script: tuple[Fault, ...] = ()  # the same for the first updates
    delete_script: tuple[Fault, ...] = ()  # the same for the first deletes
    read_script: tuple[ReadFault, ...] = ()  # the same for the first GETs of collections and objects
    profiles: tuple[Profile, ...] = ()  # none: every GUID is a profile that has every type
    seed: int = 0  # the same requests meet the same faults and creates get the same ids, in whatever order

    def __post_init__(self) -> None:
        if self.edition not in EDITIONS:
            raise UsageError(f'The edition "{self.edition}" is not known; use one of {", ".join(EDITIONS)}.')
        least_of = {
            "quota": 0,
            "tenant_quota": 0,
            "others": 0,
            "others_s": 0,
            "read_quota": 0,
            "latency_s": 0,
            "read_delay_s": 0,
            "page_size": 1,
        }
        for name, least in least_of.items():
            if not getattr(self, name) >= least:  # NaN is not
                raise UsageError(f"The simulator's {name} is {getattr(self, name)}; give {least} or more.")
        if not (0 < self.window_s < math.inf):
            raise UsageError(f"The simulator's window_s is {self.window_s}; give a number of seconds above 0.")
        if self.token_lifetime_s is not None and self.token_lifetime_s <= 0:
            raise UsageError(f"The simulator's token_lifetime_s is {self.token_lifetime_s}; give seconds above 0.")
