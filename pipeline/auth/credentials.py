"""An azure-identity credential for each method. The only module that imports azure-identity, and only for a sign-in."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, TypeVar

from pydantic import SecretStr

from pipeline.auth.hosts import CLOUDS, TenantSettings
from pipeline.errors import ConfigError, PreflightError

REASON_CHARACTERS = 300
WORKLOAD_VARIABLES = ("AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE")

T = TypeVar("T")


class AuthSettings(Protocol):
    """The keys under `auth:`; those that the method needs are there."""

    @property
    def method(self) -> str:
        """One of config.AuthMethod's values."""

    @property
    def token_env(self) -> str:
        """Name of a variable."""

    @property
    def client_id(self) -> str | None:
        """GUID, or None."""

    @property
    def client_secret_env(self) -> str | None:
        """Name of a variable, or None."""

    @property
    def certificate_path(self) -> object:
        """Path of a PEM or PKCS#12 file, or None."""

    @property
    def certificate_password_env(self) -> str | None:
        """Name of a variable, or None."""


class AccessToken(Protocol):
    """What azure-identity's `get_token` returns."""

    @property
    def token(self) -> str:
        """The bearer token."""

    @property
    def expires_on(self) -> int:
        """Seconds since 1970 UTC."""


class Credential(Protocol):
    """What certstate uses of an azure-identity credential. Both calls block."""

    def get_token(self, *scopes: str) -> AccessToken:
        """Return a token for the scopes."""

    def close(self) -> None:
        """Close its connections."""


MakeCredential = Callable[[AuthSettings, TenantSettings, Mapping[str, SecretStr], Callable[[str], None]], Credential]


class Identity(NamedTuple):
    """Who signs in, and for what."""

    method: str
    tenant_id: str | None
    scope: str
    secrets: tuple[SecretStr, ...]  # never to be seen in a message


def credential_of(
    auth: AuthSettings, tenant: TenantSettings, variables: Mapping[str, SecretStr], show: Callable[[str], None]
) -> Credential:
    """Return the azure-identity credential of the method; no network I/O, but the certificate file is read.

    Raises PreflightError when a variable is not set, and whatever azure-identity raises for a secret it cannot use.
    """
    # azure-identity takes most of a second to import, which `--help` need not wait for.
    from azure import identity  # noqa: PLC0415 - see above

    tenant_id, client_id, authority = tenant.id or "", auth.client_id or "", CLOUDS[tenant.cloud].authority
    match auth.method:
        case "client-secret":
            secret = secret_of("client_secret_env", auth.client_secret_env, variables)
            return identity.ClientSecretCredential(tenant_id, client_id, secret.get_secret_value(), authority=authority)
        case "certificate":
            name = auth.certificate_password_env
            password = secret_of("certificate_password_env", name, variables) if name else None
            return identity.CertificateCredential(
                tenant_id,
                client_id,
                str(auth.certificate_path),
                password=password.get_secret_value() if password else None,
                authority=authority,
            )
        case "managed-identity":
            return identity.ManagedIdentityCredential(client_id=auth.client_id)
        case "workload-identity":
            given = {name: variables[name].get_secret_value() for name in WORKLOAD_VARIABLES if name in variables}
            return identity.WorkloadIdentityCredential(
                tenant_id=tenant_id,
                client_id=client_id or given.get("AZURE_CLIENT_ID"),
                token_file_path=given.get("AZURE_FEDERATED_TOKEN_FILE"),
                authority=authority,
            )
        case "azure-cli":
            # The cloud is the one that `az cloud set` chose; the scope makes it fail when that is another one.
            return identity.AzureCliCredential(tenant_id=tenant_id)
        case "device-code":
            return identity.DeviceCodeCredential(
                client_id,
                tenant_id=tenant_id,
                authority=authority,
                prompt_callback=lambda url, code, _: show(f"To sign in, open {url} and enter the code {code}"),
            )
        case unknown:
            raise ConfigError(f"auth.method: {unknown} is no method; see the README for those there are")


def guarded(call: Callable[[], T], identity: Identity) -> T:
    """Return the call's result. Raises PreflightError, without cause and secrets, for what azure-identity raises."""
    from azure.core.exceptions import AzureError  # noqa: PLC0415 - as in credential_of

    try:
        return call()
    except (AzureError, ValueError, TypeError, OSError) as problem:
        # TypeError is cryptography's answer to a password that is missing or too many.
        reason = " ".join(str(getattr(problem, "message", problem)).split())
    reason = re.split(r"\s*Trace ID:", reason)[0]
    for secret in identity.secrets:
        reason = reason.replace(secret.get_secret_value(), "***")
    reason = re.sub(r"eyJ[\w.-]+", "***", reason)[:REASON_CHARACTERS].rstrip(" .")
    # Raised here, not above: the cause's frames hold secrets.
    raise PreflightError(
        f"auth.method {identity.method}: no token could be had ({reason}); check the keys under auth, the secret or "
        "certificate, and the connection"
    )


def secret_names(auth: AuthSettings) -> tuple[str, ...]:
    """Return the names of the variables that hold secrets."""
    return tuple(each for each in (auth.token_env, auth.client_secret_env, auth.certificate_password_env) if each)


def needed_variables(auth: AuthSettings, environ: Mapping[str, str]) -> dict[str, SecretStr]:
    """Return the variables that a method may need, as far as they are set and not empty."""
    return {name: SecretStr(environ[name]) for name in (*secret_names(auth), *WORKLOAD_VARIABLES) if environ.get(name)}


def secret_of(key: str, name: str | None, variables: Mapping[str, SecretStr]) -> SecretStr:
    """Return the value of the variable that the key under `auth:` names. Raises PreflightError when it is not set."""
    if name is None or name not in variables:
        raise PreflightError(f"{named(key, name or '')} is not set; set it in the shell or service that runs certstate")
    return variables[name]


def named(key: str, name: str) -> str:
    """Return the variable for a message; by its key where the name does not look like one, but like a secret."""
    usual = re.fullmatch(r"[A-Z][A-Z0-9_]{0,63}", name)
    return f"the environment variable {name if usual else f'that auth.{key} names'}"
