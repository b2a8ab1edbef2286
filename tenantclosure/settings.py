"""Every setting, read once from the environment into one frozen object."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tenantclosure.backend import SCHEDULER_CONNECTION, Backend, check_package
from tenantclosure.errors import SettingsError

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_ATOM, _LABEL = r"[\w!#$%&'*+/=?^`{|}~-]+", r"[a-zA-Z0-9-]+"
MAILBOX = re.compile(rf"{_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})*", re.ASCII)
"""One plain mail address, no name and no quotes."""
DIGITS = re.compile(r"[0-9]{1,9}")
LAST_PORT = 65_535
LEAST_RETENTION = 90
"""Days that an ended closure's records are kept at least."""

CLOUDS: dict[str, dict[str, str]] = {
    "global": {
        "graph": "https://graph.microsoft.com",
        "login": "https://login.microsoftonline.com",
        "arm": "https://management.azure.com",
        "arm_scope": "https://management.azure.com/.default",
        "partner": "https://api.partnercenter.microsoft.com",
        "audience": "api://AzureADTokenExchange",
        "portal": "https://entra.microsoft.com",
        "admin": "https://admin.microsoft.com",
        "azure_portal": "https://portal.azure.com",
    },
    "usgov": {
        "graph": "https://graph.microsoft.us",
        "login": "https://login.microsoftonline.us",
        "arm": "https://management.usgovcloudapi.net",
        "arm_scope": "https://management.core.usgovcloudapi.net/.default",
        "partner": "https://api.partnercenter.microsoft.com",
        "audience": "api://AzureADTokenExchangeUSGov",
        "portal": "https://entra.microsoft.us",
        "admin": "https://portal.office365.us",
        "azure_portal": "https://portal.azure.us",
    },
    "usgov-dod": {
        "graph": "https://dod-graph.microsoft.us",
        "login": "https://login.microsoftonline.us",
        "arm": "https://management.usgovcloudapi.net",
        "arm_scope": "https://management.core.usgovcloudapi.net/.default",
        "partner": "https://api.partnercenter.microsoft.com",
        "audience": "api://AzureADTokenExchangeUSGov",
        "portal": "https://entra.microsoft.us",
        "admin": "https://portal.apps.mil",
        "azure_portal": "https://portal.azure.us",
    },
    "china": {
        "graph": "https://microsoftgraph.chinacloudapi.cn",
        "login": "https://login.chinacloudapi.cn",
        "arm": "https://management.chinacloudapi.cn",
        "arm_scope": "https://management.chinacloudapi.cn/.default",
        "partner": "https://partner.partnercenterapi.microsoftonline.cn",
        "audience": "api://AzureADTokenExchangeChina",
        "portal": "https://entra.microsoftonline.cn",
        "admin": "https://portal.partner.microsoftonline.cn",
        "azure_portal": "https://portal.azure.cn",
    },
}
"""Endpoints per national cloud (tenant-facts E)."""


def _split(url: str) -> SplitResult:
    """The parts of an address; none of them where it is no address at all."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


class Settings(BaseSettings):
    """All settings; names in the environment are the fields' aliases. Wrong combinations raise SettingsError."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    cloud: Literal["global", "usgov", "usgov-dod", "china", "custom"] = Field("global", alias="CLOSURE_CLOUD")
    graph_url: str = Field("", alias="CLOSURE_GRAPH_URL")
    login_url: str = Field("", alias="CLOSURE_LOGIN_URL")
    arm_url: str = Field("", alias="CLOSURE_ARM_URL")
    partner_url: str = Field("", alias="CLOSURE_PARTNER_URL")
    credential: Literal["federated", "certificate", "static"] = Field("federated", alias="CLOSURE_CREDENTIAL")
    static_token: str = Field("", alias="CLOSURE_STATIC_TOKEN", repr=False)
    partner_static_token: str = Field("", alias="CLOSURE_PARTNER_STATIC_TOKEN", repr=False)
    home_static_token: str = Field("", alias="CLOSURE_HOME_STATIC_TOKEN", repr=False)
    certificate_file: Path | None = Field(None, alias="CLOSURE_CERTIFICATE_FILE")
    ca_file: Path | None = Field(None, alias="CLOSURE_CA_FILE")
    client_id: str = Field("", alias="CLOSURE_CLIENT_ID")
    identity_client_id: str = Field("", alias="CLOSURE_IDENTITY_CLIENT_ID")
    partner_tenant_id: str = Field("", alias="CLOSURE_PARTNER_TENANT_ID")
    home_tenant_id: str = Field("", alias="CLOSURE_HOME_TENANT_ID")
    allowed_tenants: Annotated[frozenset[str], NoDecode] = Field(frozenset(), alias="CLOSURE_ALLOWED_TENANTS")
    billing_accounts: Annotated[frozenset[str], NoDecode] = Field(frozenset(), alias="CLOSURE_BILLING_ACCOUNTS")
    approval_policy: Path | None = Field(None, alias="CLOSURE_APPROVAL_POLICY")
    storage: str = Field("", alias="CLOSURE_STORAGE", repr=False)
    storage_account: str = Field("", alias="CLOSURE_STORAGE__accountName")
    storage_client_id: str = Field("", alias="CLOSURE_STORAGE__clientId")
    storage_credential: str = Field("", alias="CLOSURE_STORAGE__credential")
    seal_vault: str = Field("", alias="CLOSURE_SEAL_VAULT")
    seal_key_file: Path | None = Field(None, alias="CLOSURE_SEAL_KEY_FILE")
    day_seconds: float = Field(86400.0, alias="CLOSURE_DAY_SECONDS", gt=0, allow_inf_nan=False)
    write_limit: str = Field("20/3000", alias="CLOSURE_WRITE_LIMIT")
    app_write_limit: str = Field("116/35000", alias="CLOSURE_APP_WRITE_LIMIT")
    lanes: int = Field(4, alias="CLOSURE_LANES", ge=1, le=32)
    shard_size: int = Field(1000, alias="CLOSURE_SHARD_SIZE", ge=20, le=5000)
    base_url: str = Field("", alias="CLOSURE_BASE_URL")
    hostname: str = Field("", alias="WEBSITE_HOSTNAME")
    site: str = Field("", alias="WEBSITE_SITE_NAME")
    mail_from: str = Field("", alias="CLOSURE_MAIL_FROM")
    smtp: str = Field("", alias="CLOSURE_SMTP")
    smtp_user: str = Field("", alias="CLOSURE_SMTP_USER")
    smtp_password: str = Field("", alias="CLOSURE_SMTP_PASSWORD", repr=False)
    teams_webhook: str = Field("", alias="CLOSURE_TEAMS_WEBHOOK", repr=False)
    callback_apps: Annotated[frozenset[str], NoDecode] = Field(frozenset(), alias="CLOSURE_CALLBACK_APPS")
    authentication_on: bool = Field(False, alias="WEBSITE_AUTH_ENABLED")
    backend: Backend = Field("azure-storage", alias="CLOSURE_BACKEND")
    scheduler: str = Field("", alias=SCHEDULER_CONNECTION)
    retention_days: int = Field(1095, alias="CLOSURE_RETENTION_DAYS", ge=0, le=36500)
    insights: str = Field("", alias="APPLICATIONINSIGHTS_CONNECTION_STRING", repr=False)
    collector: str = Field("", alias="OTEL_EXPORTER_OTLP_ENDPOINT")

    @field_validator("allowed_tenants", "callback_apps", "billing_accounts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return frozenset(p.strip().lower() for p in value.split(",") if p.strip()) if isinstance(value, str) else value

    @field_validator("home_tenant_id", "client_id", "partner_tenant_id")
    @classmethod
    def _lower(cls, value: str) -> str:
        return value.strip().lower()

    @model_validator(mode="after")
    def _agree(self) -> Settings:
        urls = {
            "CLOSURE_GRAPH_URL": self.graph_url,
            "CLOSURE_LOGIN_URL": self.login_url,
            "CLOSURE_ARM_URL": self.arm_url,
            "CLOSURE_PARTNER_URL": self.partner_url,
        }
        if self.cloud == "custom":
            for name, url in urls.items():
                if _split(url).hostname not in LOOPBACK:
                    raise ValueError(f"{name} must be a loopback URL when CLOSURE_CLOUD is custom.")
        else:
            given = [name for name, url in urls.items() if url]
            if given:
                raise ValueError(f"{given[0]} is only allowed when CLOSURE_CLOUD is custom.")
            if self.credential == "static":
                raise ValueError("CLOSURE_CREDENTIAL=static is only allowed when CLOSURE_CLOUD is custom.")
            if self.day_seconds != 86400.0:
                raise ValueError("CLOSURE_DAY_SECONDS is only allowed when CLOSURE_CLOUD is custom.")
        if self.cloud != "custom" and not self.home_tenant_id:
            raise ValueError("CLOSURE_HOME_TENANT_ID is missing: name the tenant that hosts us, so that it is refused.")
        if self.credential == "static" and not self.static_token:
            raise ValueError("CLOSURE_STATIC_TOKEN is missing although CLOSURE_CREDENTIAL is static.")
        if self.cloud != "custom" and self.home_tenant_id in self.allowed_tenants:
            raise ValueError(
                "CLOSURE_ALLOWED_TENANTS names the tenant of CLOSURE_HOME_TENANT_ID: take it off the list."
            )
        if self.cloud != "custom" and self.credential == "federated" and not self.identity_client_id:
            raise ValueError(
                "CLOSURE_IDENTITY_CLIENT_ID is missing: name the user-assigned managed identity that is the federated "
                "credential; a system-assigned one can't be."
            )
        if self.credential != "static" and not self.client_id:
            raise ValueError("CLOSURE_CLIENT_ID is missing: set the application id of the app registration.")
        if self.credential == "certificate" and self.certificate_file is None:
            raise ValueError("CLOSURE_CERTIFICATE_FILE is missing although CLOSURE_CREDENTIAL is certificate.")
        if self.base_url and not self._web(self.base_url):
            raise ValueError("CLOSURE_BASE_URL must be an https address, as people reach it.")
        if self.seal_vault and _split(self.seal_vault).scheme != "https":
            raise ValueError("CLOSURE_SEAL_VAULT must be the https address of a Key Vault.")
        if self.teams_webhook and not self._web(self.teams_webhook):
            raise ValueError("CLOSURE_TEAMS_WEBHOOK must be the https address of a Teams workflow.")
        if self.smtp and not self.mail_from:
            raise ValueError("CLOSURE_MAIL_FROM is missing although CLOSURE_SMTP is set: name the sender's address.")
        if self.mail_from and not MAILBOX.fullmatch(self.mail_from):
            raise ValueError("CLOSURE_MAIL_FROM must be one plain address, for example closure@example.com.")
        host, _, port = self.smtp.rpartition(":")
        if self.smtp and not (host and DIGITS.fullmatch(port) and int(port) <= LAST_PORT):
            raise ValueError("CLOSURE_SMTP must read host:port, for example smtp.example.com:587.")
        if self.backend == "durable-task-scheduler":
            self._reaches_scheduler()
        if 0 < self.retention_days < LEAST_RETENTION:
            raise ValueError(
                f"CLOSURE_RETENTION_DAYS must be 0 (kept for ever) or at least {LEAST_RETENTION}: for 30 days after "
                "its end a closure can be rolled back, and people ask about it."
            )
        for name in ("write_limit", "app_write_limit"):
            rate, _, burst = getattr(self, name).partition("/")
            if not all(DIGITS.fullmatch(number) and int(number) > 0 for number in (rate, burst)):
                field = type(self).model_fields[name]
                raise ValueError(f"{field.alias} must read rate/burst, for example {field.default}.")
        return self

    def _reaches_scheduler(self) -> None:
        pairs = (part.partition("=") for part in self.scheduler.split(";"))
        said = {key.strip().lower(): value.strip() for key, _, value in pairs}
        if not self.scheduler:
            raise ValueError(
                f"{SCHEDULER_CONNECTION} is missing although CLOSURE_BACKEND is durable-task-scheduler: "
                "set Endpoint=https://...;Authentication=ManagedIdentity;ClientID=... of your scheduler."
            )
        if not self._web(said.get("endpoint", "")):
            raise ValueError(f"{SCHEDULER_CONNECTION} must name the https Endpoint of your scheduler.")
        if self.cloud != "custom" and said.get("authentication", "").lower() != "managedidentity":
            raise ValueError(f"{SCHEDULER_CONNECTION} must say Authentication=ManagedIdentity.")

    def _web(self, url: str) -> bool:
        parts = _split(url)
        return parts.scheme == "https" or (self.cloud == "custom" and parts.hostname in LOOPBACK)

    @property
    def address(self) -> str:
        """Where people reach the pages, without trailing slash; empty when nobody said (then no links are sent)."""
        if self.base_url:
            return self.base_url.rstrip("/")
        local = self.hostname.partition(":")[0] in LOOPBACK
        return f"{'http' if local else 'https'}://{self.hostname}" if self.hostname else ""

    @property
    def rehearsal(self) -> bool:
        """Whether every endpoint is on the loopback interface (cloud `custom`)."""
        return self.cloud == "custom"

    @property
    def rate(self) -> float:
        """Writes a second and tenant."""
        return float(self.write_limit.partition("/")[0])

    @property
    def burst(self) -> int:
        """Writes that may go out at once when the bucket is full."""
        return int(self.write_limit.partition("/")[2])

    @property
    def app_rate(self) -> float:
        """Writes a second of our application over all tenants."""
        return float(self.app_write_limit.partition("/")[0])

    def endpoint(self, name: str) -> str:
        """URL without trailing slash for `graph`, `login`, `arm`, `partner`; scopes, audience and portals likewise."""
        if self.cloud != "custom":
            return CLOUDS[self.cloud][name]
        custom = {"graph": self.graph_url, "login": self.login_url, "arm": self.arm_url, "partner": self.partner_url}
        if name in custom:
            return custom[name].rstrip("/")
        if name == "arm_scope":
            return self.arm_url.rstrip("/") + "/.default"
        return CLOUDS["global"][name]


def load() -> Settings:
    """Settings from the process environment. Raises SettingsError with one sentence per fault."""
    try:
        settings = Settings()  # every field comes from the environment
    except ValueError as error:
        faults: list[dict[str, Any]] = getattr(error, "errors", list)()
        text = " ".join(_sentence(fault) for fault in faults) or str(error)
        raise SettingsError(text) from None
    check_package(settings.backend)
    return settings


def _sentence(fault: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in fault.get("loc", ()))
    message = str(fault.get("msg", "")).removeprefix("Value error, ")
    return f"{where}: {message}" if where else message
