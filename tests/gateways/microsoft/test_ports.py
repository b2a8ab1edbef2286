"""Each gateway satisfies its port: all methods, same parameters, same kind of function."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from tenantclosure import ports
from tenantclosure.gateways.arm import ArmBilling
from tenantclosure.gateways.clock import SystemClock
from tenantclosure.gateways.external import ArmDirectory
from tenantclosure.gateways.graph import GraphDirectory
from tenantclosure.gateways.identity import Credentials
from tenantclosure.gateways.mail_graph import GraphMailer
from tenantclosure.gateways.mail_smtp import SmtpMailer
from tenantclosure.gateways.outside import OutsideView
from tenantclosure.gateways.partner import PartnerCenter
from tenantclosure.gateways.people import HomeDirectory
from tenantclosure.gateways.teams import TeamsChannel
from tenantclosure.gateways.tokens import EntraTokens

from .conftest import settings_for

PAIRS = [
    (ports.Directory, GraphDirectory),
    (ports.Billing, ArmBilling),
    (ports.Partner, PartnerCenter),
    (ports.ExternalDirectory, ArmDirectory),
    (ports.Outside, OutsideView),
    (ports.Clock, SystemClock),
    (ports.People, HomeDirectory),
    (ports.Mailer, GraphMailer),
    (ports.Mailer, SmtpMailer),
    (ports.Channel, TeamsChannel),
    (ports.Tokens, EntraTokens),
]


@pytest.mark.parametrize(("port", "gateway"), PAIRS)
def test_signatures(port: type, gateway: type) -> None:
    """Names, parameters, defaults and async-ness agree."""
    methods = {name: f for name, f in vars(port).items() if not name.startswith("_") and inspect.isfunction(f)}
    assert methods
    for name, wanted in methods.items():
        given = getattr(gateway, name)
        assert inspect.signature(given).replace(return_annotation="") == inspect.signature(wanted).replace(
            return_annotation=""
        ), name
        assert inspect.iscoroutinefunction(given) == inspect.iscoroutinefunction(wanted), name


def test_instances(settings) -> None:
    """An instance is one of its port (runtime_checkable)."""
    credentials = Credentials(settings)
    assert isinstance(GraphDirectory(settings, credentials, "t"), ports.Directory)
    assert isinstance(ArmBilling(settings, credentials, "t"), ports.Billing)
    assert isinstance(PartnerCenter(settings, credentials, "t"), ports.Partner)
    assert isinstance(ArmDirectory(settings, credentials, "t"), ports.ExternalDirectory)
    assert isinstance(OutsideView(settings, "t"), ports.Outside)
    assert isinstance(SystemClock(1.0), ports.Clock)
    assert isinstance(HomeDirectory(settings, credentials), ports.People)
    assert isinstance(GraphMailer(settings, credentials), ports.Mailer)
    posting = settings_for("http://127.0.0.1:1", CLOSURE_MAIL_FROM="a@b.c", CLOSURE_SMTP="127.0.0.1:25")
    assert isinstance(SmtpMailer(posting), ports.Mailer)
    assert isinstance(TeamsChannel(settings), ports.Channel)
    assert isinstance(EntraTokens(settings), ports.Tokens)


def test_importing_loads_no_sdk() -> None:
    """Loading the gateways is cheap: neither msgraph nor azure-identity comes along."""
    code = (
        "import sys, tenantclosure.gateways.graph, tenantclosure.gateways.arm, tenantclosure.gateways.partner;"
        "print([m for m in sys.modules if m.split('.')[0] in ('msgraph', 'kiota_http') or m == 'azure.identity'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
