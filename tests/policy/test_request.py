"""The request's schema: what is wrong is named by its field, with a remedy; nothing is guessed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantclosure.errors import RequestRefused
from tenantclosure.model.request import parse_request
from tests.policy.people import TENANT, document

IT = {"group": "it", "quorum": 1, "people": ["ann@fabrikam.com"]}


def test_the_smallest_request() -> None:
    """It parses, fills in the defaults, and what is stored parses again to the same."""
    parsed = parse_request(document(tenantId=TENANT.upper(), keeper=" Last.Admin@Contoso.onmicrosoft.com "))
    assert parsed.tenant_id == TENANT
    assert parsed.keeper == "last.admin@contoso.onmicrosoft.com"
    assert (parsed.keep, parsed.quiet_days, parsed.requested_by) == ([], 0, None)
    assert parse_request(json.loads(json.dumps(parsed.to_dict()))) == parsed


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"colour": "red"}, "colour"),
        ({"tenant_id": TENANT}, "tenant_id"),
        ({"tenantId": None, "tenant_id": TENANT}, "tenantId"),
        ({"tenantId": "contoso"}, "tenantId"),
        ({"tenantId": TENANT[:-1]}, "tenantId"),
        ({"tenantId": "{" + TENANT + "}"}, "tenantId"),
        ({"tenantId": TENANT.replace("-", "")}, "tenantId"),
        ({"tenantId": TENANT.replace("0001", "00_1")}, "tenantId"),
        ({"tenantId": 7}, "tenantId"),
        ({"domain": None}, "domain"),
        ({"domain": "contoso"}, "domain"),
        ({"domain": "<b>contoso</b>.com"}, "domain"),
        ({"domain": "a." * 130 + "com"}, "domain"),
        ({"keeper": "last.admin"}, "keeper"),
        ({"keeper": "last admin@contoso.com"}, "keeper"),
        ({"keeper": "a@" + "b" * 320 + ".com"}, "keeper"),
        ({"reason": ""}, "reason"),
        ({"reason": "   "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"reason": "\ud800"}, "reason"),
        ({"approvers": []}, "approvers"),
        ({"approvers": {}}, "approvers"),
        ({"approvers": [{**IT, "quorum": True}]}, "approvers.0.quorum"),
        ({"approvers": [{**IT, "quorum": "1"}]}, "approvers.0.quorum"),
        ({"approvers": [{**IT, "quorum": 1.0}]}, "approvers.0.quorum"),
        ({"approvers": [{**IT, "quorum": 0}]}, "approvers.0.quorum"),
        ({"approvers": [{**IT, "people": []}]}, "approvers.0.people"),
        ({"approvers": [{**IT, "group": "<it>"}]}, "approvers.0.group"),
        ({"approvers": [{**IT, "veto": 1}]}, "approvers.0.veto"),
        ({"approvers": [IT] * 11}, "approvers"),
        ({"keep": "ann"}, "keep"),
        ({"keep": [""]}, "keep.0"),
        ({"keep": ["x" * 321]}, "keep.0"),
        ({"backupConfirmed": None}, "backupConfirmed"),
        ({"backupConfirmed": False}, "backupConfirmed"),
        ({"backupConfirmed": 1}, "backupConfirmed"),
        ({"backupConfirmed": "true"}, "backupConfirmed"),
        ({"quietDays": True}, "quietDays"),
        ({"quietDays": -1}, "quietDays"),
        ({"quietDays": 366}, "quietDays"),
        ({"requestedBy": "nobody"}, "requestedBy"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], field: str) -> None:
    """Unknown keys, wrong types, bools for numbers and back, markup, lengths: each names its field and a remedy."""
    with pytest.raises(RequestRefused) as caught:
        parse_request(document(**changes))
    refused = caught.value
    assert refused.field == field
    assert field in refused.remedy or refused.field == "backupConfirmed"
    assert refused.remedy.endswith(".")
    assert refused.status == 400


@pytest.mark.parametrize("rubbish", [None, [], "text", 7, True])
def test_only_an_object_is_a_request(rubbish: Any) -> None:
    """Anything but an object is refused as a whole."""
    with pytest.raises(RequestRefused) as caught:
        parse_request(rubbish)
    assert caught.value.field == "$"


def test_all_wrong_fields_are_told() -> None:
    """The first fault is described, the others are listed."""
    with pytest.raises(RequestRefused) as caught:
        parse_request(document(tenantId="x", quietDays=-1, colour="red"))
    assert {caught.value.field, *caught.value.extra["alsoWrong"]} == {"tenantId", "quietDays", "colour"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*document(), "keep", "quietDays", "other"]), json_values, max_size=4))
def test_no_json_crashes_it(changes: dict[str, Any]) -> None:
    """Any JSON object either parses or is refused with a field and a remedy."""
    try:
        parse_request({**document(), **changes})
    except RequestRefused as refused:
        assert refused.field
        assert refused.remedy
