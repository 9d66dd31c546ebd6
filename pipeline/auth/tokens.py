"""The bearer token: read or requested, kept while it is good, replaced once for all workers."""

import asyncio
import base64
import json
import logging
import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import SecretStr

from pipeline.auth.credentials import (
    AuthSettings,
    Credential,
    Identity,
    MakeCredential,
    credential_of,
    guarded,
    named,
    needed_variables,
    secret_names,
    secret_of,
)
from pipeline.auth.hosts import CLOUDS, TenantSettings, check_host, check_tenant_id, is_loopback
from pipeline.errors import PreflightError

logger = logging.getLogger(__name__)

REFRESH_BEFORE_EXPIRY_S = 300.0
"""A token is replaced when fewer seconds remain: the same margin as azure-identity's own (DEFAULT_REFRESH_OFFSET)."""

RETRY_REFRESH_AFTER_S = 30.0
"""How long a token that is near its end is used on before the next attempt to replace it."""

CLOCK_SKEW_S = 300.0
"""By how much this machine's clock may be ahead when it is asked whether a bare token has expired."""

FURTHEST_EXPIRY = 2.0**37
"""Seconds since 1970 (the year 6325): an `exp` beyond it is no date."""

LOOPBACK_TOKEN = "loopback"  # noqa: S105 - no secret: what the local simulator is shown when no token is set


class Token(NamedTuple):
    """A bearer token and when it expires, in seconds since 1970 UTC. Its repr does not show the token."""

    secret: SecretStr
    expires_at: float


class TokenSource:
    """The current bearer token, shared by all workers of one event loop. `open_token_source` makes it."""

    def __init__(
        self,
        identity: Identity,
        make: Callable[[], Credential] | None,
        current: Token | None,
        clock: Callable[[], float],
    ) -> None:
        self._identity = identity
        self._make = make  # None: the method is a bare token
        self._credential: Credential | None = guarded(make, identity) if make else None
        self._current = current
        self._clock = clock
        self._next_attempt_at = -math.inf
        self._refused: tuple[SecretStr, str] | None = None
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"TokenSource({self._identity.method})"

    async def token(self) -> str:
        """Return a token that is good for 300 s more, where one can be had.

        A replacement that cannot be had yet is no error while the old token lasts. Does network I/O when a new token
        is needed. Raises PreflightError.
        """
        async with self._lock:
            if self._current is None:
                self._current = await self._request()
            elif self._is_due(self._current):
                await self._renew(self._current)
            return self._current.secret.get_secret_value()

    async def refresh(self, refused: str) -> str:
        """Return another token than the one that was refused with 401.

        However many workers ask, one new token is requested for one refused. Raises PreflightError when there is none.
        """
        bad = SecretStr(refused)
        del refused  # a traceback with the values of variables must not show it
        async with self._lock:
            if self._current is not None and self._current.secret != bad:
                return self._current.secret.get_secret_value()
            if self._refused is not None and self._refused[0] == bad:
                raise PreflightError(self._refused[1])
            try:
                self._current = await self._replace(bad)
            except PreflightError as problem:
                self._refused = (bad, str(problem))
                raise
            return self._current.secret.get_secret_value()

    async def aclose(self) -> None:
        """Close the credential's connections. May be called again."""
        credential, self._credential = self._credential, None
        if credential is not None:
            await asyncio.to_thread(credential.close)

    def _is_due(self, token: Token) -> bool:
        now = self._clock()
        return (
            self._make is not None
            and token.expires_at - now < REFRESH_BEFORE_EXPIRY_S
            and (now >= self._next_attempt_at or now >= token.expires_at)
        )

    async def _renew(self, old: Token) -> None:
        self._next_attempt_at = self._clock() + RETRY_REFRESH_AFTER_S
        try:
            self._current = await self._request()
        except PreflightError as problem:
            if self._clock() >= old.expires_at:
                raise
            logger.warning("the token could not be renewed yet: %s", problem)

    async def _replace(self, bad: SecretStr) -> Token:
        if self._make is None:
            if bad.get_secret_value() == LOOPBACK_TOKEN:
                raise PreflightError(
                    "the service on this machine wants a token (401), and none is set; put it into the variable that "
                    "auth.token_env names, then call it again"
                )
            raise PreflightError(
                "Graph refused the token (401): it has expired, or is for another audience; put a new one into the "
                "variable that auth.token_env names, then call it again"
            )
        # azure-identity keeps tokens, so the old credential would give out the refused one again.
        await self.aclose()
        self._credential = guarded(self._make, self._identity)
        token = await self._request()
        if token.secret == bad:
            raise PreflightError(
                f"Graph refused the token (401), and auth.method {self._identity.method} gives out the same one "
                "again; sign in anew or check the identity, then call it again"
            )
        return token

    async def _request(self) -> Token:
        credential = self._credential
        if credential is None:
            raise PreflightError("the sign-in has been closed already; start the run again")
        token = await _in_thread(lambda: guarded(lambda: _request_token(credential, self._identity), self._identity))
        _check_tenant(token, self._identity.tenant_id)
        return token


async def _in_thread(call: Callable[[], Token]) -> Token:
    """Return what the blocking call returns, without keeping the process alive for it.

    asyncio.to_thread would: after Ctrl-C in a device-code sign-in Python waits for its threads, up to a quarter hour.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Token] = loop.create_future()

    def tell(settle: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(lambda: None if done.cancelled() else settle())

    def work() -> None:
        try:
            token = call()
        except BaseException as problem:  # noqa: BLE001 - handed on to the one who waits
            failure = problem
            tell(lambda: done.set_exception(failure))
        else:
            tell(lambda: done.set_result(token))

    threading.Thread(target=work, name="sign-in", daemon=True).start()
    return await done


def open_token_source(
    auth: AuthSettings,
    tenant: TenantSettings,
    service_root: str,
    environ: Mapping[str, str],
    *,
    make_credential: MakeCredential | None = None,
    clock: Callable[[], float] = time.time,
    show: Callable[[str], None] = logger.warning,
) -> TokenSource:
    """Return the source of tokens for the service root; no network I/O yet.

    `show` is given the sign-in instructions of method device-code, in one line. `clock` gives seconds since 1970 UTC.
    Raises ConfigError for a host that may not get a token or a missing tenant id, PreflightError for a missing or
    unusable secret, a bare token that has expired, or one of another tenant.
    """
    variables = needed_variables(auth, environ)
    del environ  # a traceback with the values of variables must not show it
    check_host(service_root, tenant.cloud)
    check_tenant_id(tenant, service_root)
    secrets = tuple(variables[name] for name in secret_names(auth) if name in variables)
    identity = Identity(auth.method, tenant.id, f"https://{CLOUDS[tenant.cloud].graph}/.default", secrets)
    if auth.method == "token":
        token = _bare_token(auth.token_env, variables, may_be_missing=is_loopback(service_root))
        _check_tenant(token, tenant.id)
        if token.expires_at + CLOCK_SKEW_S < clock():
            ended = datetime.fromtimestamp(token.expires_at, UTC)
            raise PreflightError(
                f"the token expired on {ended:%Y-%m-%d at %H:%M} UTC; put a new one into "
                f"{named('token_env', auth.token_env)}"
            )
        return TokenSource(identity, None, token, clock)
    factory = make_credential or credential_of
    return TokenSource(identity, lambda: factory(auth, tenant, variables, show), None, clock)


def app_id_of(token: str) -> str:
    """Return the client id of the app that the token was issued to, or "" when the token does not tell."""
    claims = _claims(token)
    return next((each for each in (claims.get("appid"), claims.get("azp")) if isinstance(each, str)), "")


def _request_token(credential: Credential, identity: Identity) -> Token:
    answer = credential.get_token(identity.scope)
    return Token(SecretStr(answer.token), float(answer.expires_on))


def _bare_token(name: str, variables: Mapping[str, SecretStr], *, may_be_missing: bool) -> Token:
    if name not in variables and may_be_missing:
        return Token(SecretStr(LOOPBACK_TOKEN), math.inf)
    given = secret_of("token_env", name, variables)
    secret = SecretStr(re.sub(r"(?i)^bearer(\s+|$)", "", given.get_secret_value().strip()))
    # RFC 6750, 2.1: what may follow "Bearer " in the header.
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", secret.get_secret_value()):
        raise PreflightError(
            f"{named('token_env', name)} holds no bearer token: it is empty, or has quotes, blanks or other characters "
            "that no token has; put the bare access token there"
        )
    expires_at = _claims(secret.get_secret_value()).get("exp")
    if isinstance(expires_at, int | float) and 0 <= expires_at < FURTHEST_EXPIRY:
        return Token(secret, float(expires_at))
    return Token(secret, math.inf)


def _check_tenant(token: Token, tenant_id: str | None) -> None:
    found = _claims(token.secret.get_secret_value()).get("tid")
    if tenant_id is not None and isinstance(found, str) and found.casefold() != tenant_id.casefold():
        raise PreflightError(
            f"the token is for tenant {found[:64]}, and tenant.id is {tenant_id}; sign in to the right tenant, or "
            "correct tenant.id in config.yaml"
        )


def _claims(token: str) -> Mapping[str, object]:
    """Return the payload of a JWT (RFC 7519) unverified, or nothing when the token is opaque."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}
