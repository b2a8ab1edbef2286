"""The local host's sign-in page, in place of App Service authentication."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from embedded.sessions import COOKIE, KEY_FILE, LASTS_SECONDS, Sessions
from embedded.signin import known_people, local_path

LOGIN = "/.auth/login/aad"
POLICY = {
    "groups": {"it": ["Ann@fabrikam.com", "bob@fabrikam.com"], "owner": ["ann@fabrikam.com"]},
    "deputies": {"it": ["dan@fabrikam.com", "not a name"]},
}


@pytest.fixture
def browser(toy: httpx.Client) -> Iterator[httpx.Client]:
    """A client with cookies that says where its forms come from, as a browser does."""
    origin = f"http://127.0.0.1:{toy.base_url.port}"
    with httpx.Client(base_url=toy.base_url, headers={"Origin": origin}, timeout=30) as client:
        yield client


def sign_in(client: httpx.Client, **fields: str) -> httpx.Response:
    """Send the form."""
    return client.post(LOGIN, data={"name": "ann@fabrikam.com", "role": "Approver", **fields})


def seen(client: httpx.Client, **headers: str) -> dict[str, str]:
    """The headers that reached the app."""
    found: dict[str, str] = client.get("/echo/me", headers=headers).json()["headers"]
    return found


def claims(headers: dict[str, str]) -> list[tuple[str, str]]:
    """The claims of the principal the app got."""
    document = json.loads(base64.b64decode(headers["x-ms-client-principal"]))
    return [(claim["typ"], claim["val"]) for claim in document["claims"]]


@pytest.mark.azurite
def test_signed_in_person_reaches_the_app(browser: httpx.Client) -> None:
    """The form's person and role arrive as App Service would send them, the same person as by X-Dev-Principal."""
    by_header = claims(seen(browser, **{"X-Dev-Principal": "ann@fabrikam.com;roles=Approver"}))
    answer = sign_in(browser, post_login_redirect_uri="/closures/x?y=1")

    assert (303, "/closures/x?y=1") == (answer.status_code, answer.headers["location"])
    assert by_header == claims(seen(browser))


@pytest.mark.azurite
def test_cookie_is_for_the_server_only(browser: httpx.Client) -> None:
    """No script can read the cookie, and another site's form does not carry it."""
    cookie = sign_in(browser).headers["set-cookie"]

    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/", f"Max-Age={LASTS_SECONDS}"} <= set(cookie.split("; "))


@pytest.mark.azurite
def test_button_wins_over_the_field(browser: httpx.Client) -> None:
    """Whoever presses a person's button is that person, whatever stands in the field."""
    sign_in(browser, person="bob@fabrikam.com")

    assert ("preferred_username", "bob@fabrikam.com") in claims(seen(browser))


@pytest.mark.azurite
def test_developers_header_wins_over_the_cookie(browser: httpx.Client) -> None:
    """With both, the header says who asks; the cookie adds nothing."""
    sign_in(browser)
    found = claims(seen(browser, **{"X-Dev-Principal": "olga@fabrikam.com;roles=Operator"}))

    assert ("preferred_username", "olga@fabrikam.com") in found
    assert ["Operator"] == [value for kind, value in found if kind == "roles"]


@pytest.mark.azurite
@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "x.y",
        "é.é",
        base64.urlsafe_b64encode(b'{"principal": "eve@x.com;roles=Operator", "until": 9e9}').decode() + "." + "0" * 64,
    ],
)
def test_forged_cookie_is_nobody(browser: httpx.Client, value: str) -> None:
    """A cookie that we did not sign is left out of account."""
    sign_in(browser)
    browser.cookies.clear()
    headers = browser.get("/echo/me", headers={"Cookie": f"{COOKIE}={value}".encode()}).json()["headers"]

    assert "x-ms-client-principal" not in headers


@pytest.mark.azurite
def test_altered_cookie_is_nobody(browser: httpx.Client) -> None:
    """Another person under a signature that was for Ann is nobody."""
    sign_in(browser)
    content, _, signature = browser.cookies[COOKIE].partition(".")
    told = json.loads(base64.urlsafe_b64decode(content + "=="))
    told["principal"] = "eve@fabrikam.com;roles=Operator"
    forged = base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")
    browser.cookies.clear()

    assert "x-ms-client-principal" not in seen(browser, Cookie=f"{COOKIE}={forged}.{signature}")
    assert "x-ms-client-principal" in seen(browser, Cookie=f"{COOKIE}={content}.{signature}")


@pytest.mark.azurite
def test_bearer_token_passes_untouched(toy: httpx.Client) -> None:
    """The app gets the Authorization header as it was sent, and no principal is made up beside it."""
    headers = seen(toy, Authorization="Bearer abc.def.ghi")

    assert "Bearer abc.def.ghi" == headers["authorization"]
    assert [] == [name for name in headers if name.startswith("x-ms-")]


@pytest.mark.azurite
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_sign_out(browser: httpx.Client, method: str) -> None:
    """After signing out the cookie is gone and nobody is signed in."""
    sign_in(browser)
    answer = browser.request(method, "/.auth/logout?post_logout_redirect_uri=/closures")

    assert (302, "/closures") == (answer.status_code, answer.headers["location"])
    assert "x-ms-client-principal" not in seen(browser)


@pytest.mark.azurite
def test_me(browser: httpx.Client) -> None:
    """`/.auth/me` says who is signed in, and 401 for nobody."""
    nobody = browser.get("/.auth/me").status_code
    sign_in(browser)
    told: list[dict[str, Any]] = browser.get("/.auth/me").json()

    assert 401 == nobody
    assert [("aad", "ann@fabrikam.com")] == [(one["provider_name"], one["user_id"]) for one in told]
    assert {"typ": "roles", "val": "Approver"} in told[0]["user_claims"]


@pytest.mark.azurite
def test_form_of_another_page_signs_nobody_in(toy: httpx.Client) -> None:
    """A form from elsewhere, or one that hides where it comes from, sets no cookie."""
    for headers in ({}, {"Origin": "null"}, {"Origin": "https://evil.example"}):
        answer = toy.post(LOGIN, data={"name": "eve@fabrikam.com", "role": "Operator"}, headers=headers)

        assert 403 == answer.status_code
        assert "set-cookie" not in answer.headers


@pytest.mark.azurite
@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"name": "ann"},
        {"name": "ann@fabrikam.com;roles=Operator"},
        {"name": "ann@fabrikam.com\r\nX: y@z"},
        {"role": "Owner"},
        {"role": ""},
    ],
)
def test_wrong_field_is_shown_again(browser: httpx.Client, fields: dict[str, str]) -> None:
    """A wrong name or role brings the page back with a sentence, and nobody is signed in."""
    answer = sign_in(browser, **fields)

    assert 400 == answer.status_code
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.azurite
def test_form_must_be_a_small_form(browser: httpx.Client) -> None:
    """JSON and a form of many kilobytes sign nobody in, and are no error of the host."""
    as_json = browser.post(LOGIN, json={"name": "ann@fabrikam.com", "role": "Approver"})
    large = sign_in(browser, name="a" * 10_000 + "@fabrikam.com")
    many = browser.post(LOGIN, content="a=1&" * 50, headers={"Content-Type": "application/x-www-form-urlencoded"})

    assert [400] * 3 == [answer.status_code for answer in (as_json, large, many)]


@pytest.mark.azurite
def test_page_escapes_and_runs_nothing(browser: httpx.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typed markup is text; the page has no script, no inline style and a policy that forbids both."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(yaml.safe_dump(POLICY))
    monkeypatch.setenv("CLOSURE_APPROVAL_POLICY", str(policy))
    answer = sign_in(browser, name='"><script>alert(1)</script>', role="")
    shown = browser.get(LOGIN, params={"post_login_redirect_uri": '/"><script>'})

    for page in (answer, shown):
        assert "<script" not in page.text
        assert not re.search(r"<style|\sstyle=|\son\w+=", page.text)
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "no-store" == page.headers["cache-control"]
        assert "DENY" == page.headers["x-frame-options"]
    assert 'value="ann@fabrikam.com"' in shown.text
    assert 200 == browser.get("/.auth/signin.css").status_code


@pytest.mark.azurite
def test_unknown_path_below_auth(toy: httpx.Client) -> None:
    """Paths that App Service does not have either are 404."""
    assert 404 == toy.get("/.auth/nothing").status_code
    assert 404 == toy.post("/.auth/me").status_code


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/approvals/abc", "/approvals/abc"),
        ("/closures/x?y=1&z=%2F#gate", "/closures/x?y=1&z=%2F#gate"),
        ("/ä", "/%C3%A4"),
        ("/a b", "/a%20b"),
        ("", "/closures"),
        ("closures", "/closures"),
        ("https://evil.example/", "/closures"),
        ("//evil.example/", "/closures"),
        ("/\\evil.example", "/closures"),
        ("/\t/evil.example", "/closures"),
        ("/\r\nSet-Cookie: a=b", "/closures"),
        ("/\x7f", "/closures"),
        ("/" + "a" * 3000, "/closures"),
    ],
)
def test_only_local_paths(given: str, path: str) -> None:
    """After sign-in nobody is led to another site."""
    assert path == local_path(given)


def test_people_of_the_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody the policy names has a button, once, with groups and deputyships; oddities are left out."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(yaml.safe_dump(POLICY))
    monkeypatch.setenv("CLOSURE_APPROVAL_POLICY", str(policy))

    assert [
        ("ann@fabrikam.com", "it, owner"),
        ("bob@fabrikam.com", "it"),
        ("dan@fabrikam.com", "deputy of it"),
    ] == known_people()


@pytest.mark.parametrize("text", [None, "", "[1, 2]", "groups: 3", "groups: {it: 4}", "a: [", "\xff"])
def test_no_policy_no_buttons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    """Without a policy that can be read there is only the field."""
    policy = tmp_path / "policy.yaml"
    monkeypatch.setenv("CLOSURE_APPROVAL_POLICY", str(policy))
    if text is not None:
        policy.write_bytes(text.encode("latin-1"))

    assert [] == known_people()


def test_restart_keeps_people_signed_in(tmp_path: Path) -> None:
    """The key lies in the state folder, for its owner only; another folder's host knows nothing of the cookie."""
    value = Sessions(tmp_path).issue("ann@fabrikam.com;roles=Approver")

    assert "ann@fabrikam.com;roles=Approver" == Sessions(tmp_path).principal(value)
    assert 0o600 == (tmp_path / KEY_FILE).stat().st_mode & 0o777
    assert Sessions(tmp_path / "other").principal(value) is None
    assert not (tmp_path / "other").exists()


def test_session_ends(tmp_path: Path) -> None:
    """After eight hours the cookie is worth nothing."""
    now = [1000.0]
    sessions = Sessions(tmp_path, lambda: now[0])
    value = sessions.issue("ann@fabrikam.com;roles=Approver")
    now[0] += LASTS_SECONDS - 1
    assert sessions.principal(value) is not None
    now[0] += 2

    assert sessions.principal(value) is None


@pytest.mark.parametrize("content", ["", "zz", "ab"])
def test_damaged_key_is_made_anew(tmp_path: Path, content: str) -> None:
    """A key file that is empty, torn or no key signs nothing; the next sign-in makes a whole one."""
    (tmp_path / KEY_FILE).write_text(content)
    assert Sessions(tmp_path).principal("a.b") is None
    value = Sessions(tmp_path).issue("ann@fabrikam.com;roles=Approver")

    assert Sessions(tmp_path).principal(value) is not None
