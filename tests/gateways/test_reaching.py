"""Which ways to people the settings open: each part is there exactly when it can work."""

from __future__ import annotations

from typing import Any

import pytest

from tenantclosure.gateways.mail_graph import GraphMailer
from tenantclosure.gateways.mail_smtp import SmtpMailer
from tenantclosure.settings import Settings
from tenantclosure.wiring import Parts, build

HOME = "d0000000-0000-4000-8000-00000000000a"
STATIC = {
    "CLOSURE_CLOUD": "custom",
    **{f"CLOSURE_{name}_URL": "http://127.0.0.1:1" for name in ("GRAPH", "LOGIN", "ARM", "PARTNER")},
    "CLOSURE_CREDENTIAL": "static",
    "CLOSURE_STATIC_TOKEN": "a.b.c",
    "CLOSURE_STORAGE": "UseDevelopmentStorage=true",
}
SIGNED_IN = STATIC | {"CLOSURE_CREDENTIAL": "federated", "CLOSURE_CLIENT_ID": "app", "CLOSURE_HOME_TENANT_ID": HOME}
MAIL = {"CLOSURE_MAIL_FROM": "closure@fabrikam.com"}


def built(**values: Any) -> Parts:
    return build(Settings.model_validate(values))


def kinds(parts: Parts) -> list[str]:
    """The names of the ways that are open."""
    return [name for name in ("people", "mailer", "channel", "tokens") if getattr(parts, name) is not None]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (STATIC, []),
        (STATIC | MAIL, []),
        (STATIC | MAIL | {"CLOSURE_HOME_TENANT_ID": HOME}, []),
        (STATIC | MAIL | {"CLOSURE_HOME_STATIC_TOKEN": "a.b.c"}, []),
        (STATIC | MAIL | {"CLOSURE_HOME_TENANT_ID": HOME, "CLOSURE_HOME_STATIC_TOKEN": "a.b.c"}, ["people", "mailer"]),
        (STATIC | {"CLOSURE_HOME_TENANT_ID": HOME, "CLOSURE_CLIENT_ID": "app"}, ["tokens"]),
        (STATIC | {"CLOSURE_CLIENT_ID": "app"}, []),
        (STATIC | {"CLOSURE_TEAMS_WEBHOOK": "https://prod.logic.azure.com/x?sig=y"}, ["channel"]),
        (SIGNED_IN, ["people", "tokens"]),
        (SIGNED_IN | MAIL, ["people", "mailer", "tokens"]),
    ],
)
def test_what_is_open(values: dict[str, str], expected: list[str]) -> None:
    """People and Graph mail need the hosting tenant, tokens need our application too, cards only their address."""
    assert expected == kinds(built(**values))


def test_how_mail_goes() -> None:
    """SMTP where a server is named, whatever else is there; Graph otherwise."""
    smtp = MAIL | {"CLOSURE_SMTP": "smtp.example.com:587"}
    assert isinstance(built(**SIGNED_IN, **MAIL).mailer, GraphMailer)
    assert isinstance(built(**SIGNED_IN, **smtp).mailer, SmtpMailer)
    assert isinstance(built(**STATIC, **smtp).mailer, SmtpMailer)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"CLOSURE_SMTP": "smtp.example.com:587"}, "CLOSURE_MAIL_FROM"),
        (MAIL | {"CLOSURE_SMTP": "smtp.example.com"}, "CLOSURE_SMTP must read"),
        (MAIL | {"CLOSURE_SMTP": ":587"}, "CLOSURE_SMTP must read"),
        ({"CLOSURE_MAIL_FROM": "Closure <closure@fabrikam.com>"}, "CLOSURE_MAIL_FROM must be one plain address"),
        ({"CLOSURE_MAIL_FROM": "closure"}, "CLOSURE_MAIL_FROM must be one plain address"),
        ({"CLOSURE_TEAMS_WEBHOOK": "http://prod.logic.azure.com/x"}, "CLOSURE_TEAMS_WEBHOOK"),
        ({"CLOSURE_BASE_URL": "http://closure.example.com"}, "CLOSURE_BASE_URL"),
        ({"CLOSURE_RETENTION_DAYS": "30"}, "CLOSURE_RETENTION_DAYS must be 0"),
        ({"CLOSURE_RETENTION_DAYS": "-1"}, "CLOSURE_RETENTION_DAYS"),
    ],
)
def test_settings_that_cant_work(values: dict[str, str], text: str) -> None:
    """A wrong setting is named before anything starts."""
    with pytest.raises(ValueError, match=text):
        Settings.model_validate(STATIC | values)


def test_settings_keep_their_secrets() -> None:
    """Password, webhook and tokens are in no printed settings."""
    secrets = {
        "CLOSURE_SMTP_PASSWORD": "secret-1",
        "CLOSURE_TEAMS_WEBHOOK": "https://prod.logic.azure.com/x?sig=secret-2",
        "CLOSURE_HOME_STATIC_TOKEN": "secret-3",
    }
    assert "secret-" not in repr(Settings.model_validate(STATIC | secrets))
