"""Plays the paths of App Service authentication (`/.auth/...`), so that a page's sign-in link is the same as in Azure.

Nobody proves anything here: whoever can open a loopback page may be anybody, as with X-Dev-Principal.
"""

import base64
import json
import os
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qs, quote

import yaml
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from embedded import identity
from embedded.sessions import COOKIE, LASTS_SECONDS, Sessions

PREFIX = "/.auth/"
LOGIN, LOGOUT, ME, STYLE = "/.auth/login/aad", "/.auth/logout", "/.auth/me", "/.auth/signin.css"
HOME = "/closures"
ROLES = ("Approver", "Operator", "Auditor")
FORM = "application/x-www-form-urlencoded"
FORM_BYTES = 8192
MOST_PEOPLE = 50
HERE = Path(__file__).parent
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # "no-referrer" would have browsers send the form with `Origin: null`, which is then nobody's.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
}
_page = Environment(
    loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
).get_template("signin.html")


def local_path(text: str) -> str:
    """The path to go to after sign-in, ready for a Location header; anything that could lead elsewhere is `HOME`."""
    odd = any(ord(letter) < 32 or ord(letter) == 127 for letter in text)
    if not text.startswith("/") or text.startswith("//") or "\\" in text or odd or len(text) > 2000:
        return HOME
    return quote(text, safe="/?&=%#:@!$'()*+,;~.-_")


def known_people() -> list[tuple[str, str]]:
    """(user name, groups) of everybody the approval policy names; empty when there is no policy that can be read."""
    try:
        text = Path(os.environ.get("CLOSURE_APPROVAL_POLICY", "")).read_text(encoding="utf-8")
        policy = yaml.safe_load(text)
        found: dict[str, list[str]] = {}
        for part, note in (("groups", "{}"), ("deputies", "deputy of {}")):
            for group, people in (policy.get(part) or {}).items():
                for person in people:
                    found.setdefault(str(person).strip().lower(), []).append(note.format(group))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, TypeError):
        return []
    return [(name, ", ".join(groups)) for name, groups in found.items() if identity.NAME.fullmatch(name)][:MOST_PEOPLE]


class SignIn:
    """Answers below `/.auth/` and reads the cookie of every other request."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def principal(self, request: web.Request) -> str | None:
        """Who the request's cookie says is signed in, as X-Dev-Principal writes it."""
        return self._sessions.principal(request.cookies.get(COOKIE, ""))

    async def answer(self, request: web.Request) -> web.Response | None:
        """The answer to a request below `/.auth/`; None for a path that App Service does not have either."""
        path, shows = request.path, request.method in ("GET", "HEAD")
        if path == LOGIN and shows:
            return self._form(request, local_path(request.query.get("post_login_redirect_uri", HOME)))
        if path == LOGIN and request.method == "POST":
            return await self._sign_in(request)
        if path == LOGOUT and shows:
            after = local_path(request.query.get("post_logout_redirect_uri", LOGIN))
            answer = web.Response(status=HTTPStatus.FOUND, headers={**HEADERS, "Location": after})
            answer.del_cookie(COOKIE, path="/", httponly=True, samesite="Lax")
            return answer
        if path == ME and shows:
            return self._me(request)
        if path == STYLE and shows:
            return web.Response(body=(HERE / "signin.css").read_bytes(), content_type="text/css", headers=HEADERS)
        return None

    def _form(
        self, request: web.Request, after: str, problem: str = "", status: HTTPStatus = HTTPStatus.OK, typed: str = ""
    ) -> web.Response:
        now = self.principal(request)
        html = _page.render(
            after=after,
            problem=problem,
            typed=typed,
            roles=ROLES,
            people=known_people(),
            now=(now or "").partition(";")[0],
            login=LOGIN,
            logout=LOGOUT,
            style=STYLE,
        )
        return web.Response(status=status, text=html, content_type="text/html", headers=HEADERS)

    async def _sign_in(self, request: web.Request) -> web.Response:
        # The host has refused foreign origins; a form that names none at all is not this page's.
        fields: dict[str, list[str]] = {}
        if request.content_type == FORM and (request.content_length or FORM_BYTES + 1) <= FORM_BYTES:
            try:
                fields = parse_qs((await request.read()).decode(), max_num_fields=20)
            except ValueError:
                fields = {}

        def field(name: str) -> str:
            return fields.get(name, [""])[0].strip()

        after, role = local_path(field("post_login_redirect_uri") or HOME), field("role")
        name = field("person") or field("name")
        if "Origin" not in request.headers:
            return self._form(request, after, "Sign in on this page itself.", HTTPStatus.FORBIDDEN)
        if role not in ROLES:
            return self._form(request, after, "Choose one of the roles.", HTTPStatus.BAD_REQUEST, name)
        try:
            identity.principal_headers(principal := f"{name};roles={role}")
        except identity.BadPrincipalError:
            problem = "Type a user name such as ann@fabrikam.com."
            return self._form(request, after, problem, HTTPStatus.BAD_REQUEST, name)
        answer = web.Response(status=HTTPStatus.SEE_OTHER, headers={**HEADERS, "Location": after})
        answer.set_cookie(
            COOKIE, self._sessions.issue(principal), path="/", max_age=LASTS_SECONDS, httponly=True, samesite="Lax"
        )
        return answer

    def _me(self, request: web.Request) -> web.Response:
        """Who is signed in, in the form of Azure's `/.auth/me`."""
        principal = self.principal(request)
        if principal is None:
            return web.Response(status=HTTPStatus.UNAUTHORIZED, headers=HEADERS)
        headers = identity.principal_headers(principal)
        claims = json.loads(base64.b64decode(headers["x-ms-client-principal"]))["claims"]
        told = {
            "provider_name": "aad",
            "user_id": headers["x-ms-client-principal-name"],
            "user_claims": claims,
        }
        return web.json_response([told], headers=HEADERS)
