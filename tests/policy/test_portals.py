"""Deep links: published shapes only, for each cloud; otherwise the portal's start page."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tenantclosure.policy.portals import Place, link
from tenantclosure.settings import CLOUDS

TENANT = "0b0a1c2d-0000-4000-8000-000000000001"
OBJECT = "0b0a1c2d-0000-4000-8000-00000000000A"


@pytest.mark.parametrize(
    ("cloud", "place", "target", "expected"),
    [
        ("global", Place.PRODUCTS, "", "https://admin.microsoft.com/Adminportal/Home#/subscriptions"),
        ("global", Place.SUPPORT, "", "https://admin.microsoft.com/Adminportal/Home#/support"),
        ("usgov", Place.PRODUCTS, "", "https://portal.office365.us/adminportal/home"),
        ("usgov-dod", Place.SUPPORT, "", "https://portal.apps.mil/adminportal/home"),
        ("china", Place.PRODUCTS, "", "https://portal.partner.microsoftonline.cn/AdminPortal/Home#/homepage"),
        (
            "global",
            Place.MANAGE_TENANTS,
            "",
            f"https://entra.microsoft.com/{TENANT}/#view/Microsoft_AAD_IAM/DirectorySwitchBlade/subtitle/",
        ),
        (
            "usgov",
            Place.MANAGE_TENANTS,
            "",
            "https://portal.azure.us/#view/Microsoft_AAD_IAM/DirectorySwitchBlade/subtitle/",
        ),
        ("china", Place.ROLES, "", "https://entra.microsoftonline.cn/#view/Microsoft_AAD_IAM/AllRolesBlade"),
        (
            "global",
            Place.APPLICATION,
            OBJECT,
            f"https://entra.microsoft.com/{TENANT}/#view/Microsoft_AAD_IAM/ManagedAppMenuBlade/~/Overview/objectId/{OBJECT}",
        ),
        (
            "china",
            Place.AZURE_SUBSCRIPTION,
            "s/1#x",
            f"https://portal.azure.cn/#@{TENANT}/resource/subscriptions/s%2F1%23x/overview",
        ),
    ],
)
def test_links(cloud: str, place: Place, target: str, expected: str) -> None:
    """The address people read in a task of this cloud."""
    assert expected == link(place, CLOUDS[cloud], TENANT, target)


PORTALS = {
    "global": {"entra.microsoft.com", "admin.microsoft.com", "portal.azure.com"},
    "usgov": {"portal.office365.us", "portal.azure.us"},
    "usgov-dod": {"portal.apps.mil", "portal.azure.us"},
    "china": {"entra.microsoftonline.cn", "portal.partner.microsoftonline.cn", "portal.azure.cn"},
}
"""Hosts that tasks lead to, from Microsoft's pages about each cloud."""


@pytest.mark.parametrize("cloud", PORTALS)
def test_every_place_lies_in_the_tenants_cloud(cloud: str) -> None:
    """No task of one cloud leads a person to the portal of another, where the tenant does not exist."""
    links = [link(place, CLOUDS[cloud], TENANT, target) for place in Place for target in ("", OBJECT)]

    assert PORTALS[cloud] == {urlsplit(one).hostname for one in links}
    assert {"https"} == {urlsplit(one).scheme for one in links}


def test_a_name_never_becomes_part_of_an_application_link() -> None:
    """Only an object id leads to one application; anything else to their list."""
    for target in ("users", "x" * 36, f"{OBJECT[:-1]}/"):
        assert target not in link(Place.APPLICATION, CLOUDS["global"], TENANT, target)
