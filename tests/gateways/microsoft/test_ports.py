"""Each gateway satisfies its port: all methods, same parameters, same kind of function."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from tenantclosure import ports
from tenantclosure.gateways.arm import ArmBilling
from tenantclosure.gateways.clock import SystemClock
from tenantclosure.gateways.graph import GraphDirectory
from tenantclosure.gateways.identity import Credentials
from tenantclosure.gateways.outside import OutsideView
from tenantclosure.gateways.partner import PartnerCenter

PAIRS = [
    (ports.Directory, GraphDirectory),
    (ports.Billing, ArmBilling),
    (ports.Partner, PartnerCenter),
    (ports.Outside, OutsideView),
    (ports.Clock, SystemClock),
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
    assert isinstance(OutsideView(settings, "t"), ports.Outside)
    assert isinstance(SystemClock(1.0), ports.Clock)


def test_importing_loads_no_sdk() -> None:
    """Loading the gateways is cheap: neither msgraph nor azure-identity comes along."""
    code = (
        "import sys, tenantclosure.gateways.graph, tenantclosure.gateways.arm, tenantclosure.gateways.partner;"
        "print([m for m in sys.modules if m.split('.')[0] in ('msgraph', 'kiota_http') or m == 'azure.identity'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
