"""HTTP triggers of the toy app, seen from outside."""

import base64
import json

import httpx
import pytest

pytestmark = pytest.mark.azurite


def test_request_reaches_the_function(toy: httpx.Client) -> None:
    """Method, URL, query (repeated names joined), body and rest parameter arrive."""
    seen = toy.post("/echo/a/b%2Fc?x=1&x=2", content=b"12345").json()

    assert (seen["method"], seen["rest"], seen["params"], seen["body"]) == ("POST", "a/b/c", {"x": "1,2"}, 5)
    assert seen["url"].endswith("/echo/a/b%2Fc?x=1&x=2")
    assert seen["function"] == "echo"


def test_most_specific_route_wins(toy: httpx.Client) -> None:
    """``echo/exact`` is not taken for ``echo/{*rest}``."""
    assert toy.get("/echo/exact").text == "exact"
    assert toy.get("/Echo/EXACT/").text == "exact"


def test_wrong_method_and_unknown_path(toy: httpx.Client) -> None:
    """405 names what is allowed; 404 is for paths that nobody serves."""
    wrong = toy.delete("/cookies")

    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET")
    for path in ("/nothing/here", "/nothing/%0A"):
        unknown = toy.get(path)
        assert unknown.status_code == 404
        assert unknown.headers["content-type"].startswith("application/problem+json")


def test_response_headers(toy: httpx.Client) -> None:
    """Both cookies and the content type with its charset come back."""
    response = toy.get("/cookies")

    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert response.headers["content-type"] == "text/html; charset=utf-8"


def test_exception_tells_the_caller_nothing(toy: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    """A function that raises is a 500 with an empty body, and a line in the log."""
    response = toy.get("/boom")

    assert (response.status_code, response.content) == (500, b"")
    assert "The function boom failed." in caplog.text


def test_large_body_is_refused(toy: httpx.Client) -> None:
    """More than 100 MB is 413, as in Functions."""

    def body() -> object:
        for _ in range(101):
            yield b"x" * 1024 * 1024

    response = toy.post("/echo/large", content=body())  # type: ignore[arg-type]

    assert response.status_code == 413


def test_developer_is_signed_in(toy: httpx.Client) -> None:
    """X-Dev-Principal becomes the header App Service would write, and is not passed on itself."""
    person = {"X-Dev-Principal": "Ann@fabrikam.com;roles=Operator, Approver"}
    headers = toy.get("/echo/me", headers=person).json()["headers"]
    document = json.loads(base64.b64decode(headers["x-ms-client-principal"]))
    claims = [(claim["typ"], claim["val"]) for claim in document["claims"]]

    assert (document["auth_typ"], document["role_typ"]) == ("aad", "roles")
    assert ("preferred_username", "Ann@fabrikam.com") in claims
    assert [value for kind, value in claims if kind == "roles"] == ["Operator", "Approver"]
    assert "x-dev-principal" not in headers


def test_forged_principal_is_dropped(toy: httpx.Client) -> None:
    """The platform's own headers never come in from outside."""
    forged = {"X-MS-CLIENT-PRINCIPAL": "e30=", "X-MS-CLIENT-PRINCIPAL-NAME": "eve"}
    headers = toy.get("/echo/me", headers=forged).json()["headers"]

    assert [name for name in headers if name.startswith("x-ms-")] == []


def test_the_app_sees_where_a_request_comes_from(toy: httpx.Client) -> None:
    """The peer's address stands last in X-Forwarded-For, after whatever the client wrote there, as in Azure."""
    plain = toy.get("/echo/me").json()["headers"]
    forged = toy.get("/echo/me", headers={"X-Forwarded-For": "192.0.2.1, 192.0.2.2"}).json()["headers"]

    assert "127.0.0.1" == plain["x-forwarded-for"]
    assert "192.0.2.1, 192.0.2.2, 127.0.0.1" == forged["x-forwarded-for"]


@pytest.mark.parametrize("text", ["", "ann", "ann@x;role=A", "ann@x;oid=1", "ann@x;roles=A;roles=B", "ann@x;roles"])
def test_malformed_principal(toy: httpx.Client, text: str) -> None:
    """A principal that cannot be read is an error, never somebody else."""
    response = toy.get("/echo/me", headers={"X-Dev-Principal": text})

    assert response.status_code == 400
    assert "X-Dev-Principal" in response.json()["detail"]


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_foreign_host_and_origin(toy: httpx.Client, headers: dict[str, str]) -> None:
    """A rebound name or a page from elsewhere gets 403."""
    response = toy.get("/cookies", headers=headers)

    assert response.status_code == 403
    assert response.headers["content-type"].startswith("application/problem+json")


def test_own_origin_and_localhost(toy: httpx.Client) -> None:
    """The host's own pages may call it, under both its names."""
    port = toy.base_url.port

    assert toy.get("/cookies", headers={"Origin": f"http://127.0.0.1:{port}"}).status_code == 200
    assert toy.get("/cookies", headers={"Host": f"localhost:{port}"}).status_code == 200


def test_environment_of_the_app(toy: httpx.Client) -> None:
    """The app finds authentication on, strict typing on, and its storage."""
    seen = toy.get("/seen").json()

    assert (seen["auth"], seen["strict"]) == ("True", "true")
    assert "BlobEndpoint=http://127.0.0.1:" in seen["storage"]
