"""The inbox: mails and Teams cards arrive, are shown as a person sees them, and nothing in them runs."""

import httpx
import pytest

from tests.simulator.commerce_rig import Rig, running

LINK = "http://127.0.0.1:7071/approvals/abc?gate=plan&x=1"


def mail(content: str = "Please decide: " + LINK + ".", kind: str = "Text") -> dict:
    """A sendMail body."""
    return {
        "message": {
            "subject": "Approve <b>Contoso</b>",
            "body": {"contentType": kind, "content": content},
            "toRecipients": [{"emailAddress": {"address": "Ann@fabrikam.com"}}],
        },
        "saveToSentItems": False,
    }


def card(*blocks: dict, actions: list[dict] | None = None) -> dict:
    """A Workflows message with one card."""
    content = {"type": "AdaptiveCard", "version": "1.4", "body": list(blocks), "actions": actions or []}
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": content}]}


async def send(rig: Rig, body: dict, sender: str = "ann@fabrikam.com") -> httpx.Response:
    """Send a mail from the hosting tenant."""
    headers = rig.token(rig.world.home)
    return await rig.http.post(f"/v1.0/users/{sender}/sendMail", headers=headers, json=body)


async def test_a_mail_arrives():
    """sendMail answers 202 without a body, and the recipient finds the mail (tenant-facts C5)."""
    async with running() as rig:
        answer = await send(rig, mail())
        found = (await rig.http.get("/_sim/inbox.json", params={"to": "ann@FABRIKAM.com"})).json()["messages"]

        assert (202, b"") == (answer.status_code, answer.content)
        assert [("mail", "Approve <b>Contoso</b>")] == [(m["kind"], m["subject"]) for m in found]
        assert [] == (await rig.http.get("/_sim/inbox.json", params={"to": "bob@x"})).json()["messages"]


async def test_links_can_be_clicked_and_the_rest_is_escaped():
    """A full stop does not belong to a link; markup in a subject is shown, not obeyed."""
    async with running() as rig:
        await send(rig, mail())
        page = await rig.http.get("/_sim/inbox")

        assert f'<a href="{LINK.replace("&", "&amp;")}">' in page.text
        assert "Approve &lt;b&gt;Contoso&lt;/b&gt;" in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


async def test_an_html_mail_shows_its_words():
    """Scripts vanish, link targets are kept, the original stays in the JSON."""
    html = f"<p>Hi &amp; hello</p><script>alert(1)</script><a href='{LINK}'>Look</a><a href='javascript:x()'>bad</a>"
    async with running() as rig:
        await send(rig, mail(html, "HTML"))
        page = (await rig.http.get("/_sim/inbox")).text
        kept = (await rig.http.get("/_sim/inbox.json")).json()["messages"][0]

        assert "alert(1)" not in page
        assert "Hi &amp; hello" in page
        assert 'href="javascript' not in page
        assert f"Look ({LINK})" in kept["text"]
        assert html == kept["html"]


async def test_an_html_mail_can_be_used_on_a_phone():
    """Its links are links with their own words, and the page fits a narrow screen."""
    async with running() as rig:
        await send(rig, mail(f"<p>Please <a href='{LINK}'>decide</a></p>", "HTML"))
        page = await rig.http.get("/_sim/inbox")

        assert f'<a href="{LINK.replace("&", "&amp;")}" rel="noreferrer">decide</a>' in page.text
        assert "width=device-width,initial-scale=1" in page.text
        assert "no-referrer" == page.headers["Referrer-Policy"]


async def test_rich_text_is_drawn():
    """Runs keep bold, monospace and web links; strings are runs too; everything is escaped."""
    link = {"type": "Action.OpenUrl", "url": LINK}
    runs = [
        "Digest <",
        {"type": "TextRun", "text": "ab<12", "fontType": "Monospace"},
        {"type": "TextRun", "text": "now", "weight": "Bolder"},
        {"type": "TextRun", "text": "open", "selectAction": link},
        {"type": "TextRun", "text": "evil", "selectAction": link | {"url": "javascript:x()"}},
    ]
    async with running() as rig:
        await rig.http.post("/_teams/workflows/w1", json=card({"type": "RichTextBlock", "inlines": runs}))
        page = (await rig.http.get("/_sim/inbox")).text

        opened = f'<a href="{LINK.replace("&", "&amp;")}">open</a>'
        assert f"<p>Digest &lt;<code>ab&lt;12</code><b>now</b>{opened}evil</p>" in page


async def test_headers_of_our_own():
    """Headers that begin with x- travel along, others are refused in Graph's words."""
    body = mail()
    async with running() as rig:
        body["message"]["internetMessageHeaders"] = [{"name": "x-id", "value": "7"}]
        assert 202 == (await send(rig, body)).status_code
        found = (await rig.http.get("/_sim/inbox.json")).json()["messages"][0]
        body["message"]["internetMessageHeaders"] = [{"name": "Bcc", "value": "eve@x"}]
        refused = await send(rig, body)

        assert {"x-id": "7"} == found["headers"]
        assert (400, "InvalidInternetMessageHeader") == (refused.status_code, refused.json()["error"]["code"])


async def test_one_address_can_be_refused():
    """A refusal meets one address only, for as many times as told, and can be lifted; Teams channels likewise."""
    async with running() as rig:

        async def refuse(**sent: object) -> None:
            assert 200 == (await rig.http.post("/_sim/inbox/refuse", json=sent)).status_code

        async def post() -> httpx.Response:
            return await rig.http.post("/_teams/workflows/w1", json=card())

        await refuse(to="ANN@fabrikam.com", status=503, retryAfter=1.5, times=1)
        passing, after = await send(rig, mail()), await send(rig, mail())
        await refuse(to="ann@fabrikam.com", status=400, code="ErrorX")
        final = [(await send(rig, mail())).json()["error"]["code"] for _ in range(2)]
        await refuse(to="ann@fabrikam.com", status=None)
        await refuse(to="workflow:w1", status=429, retryAfter=2, times=1)
        cards = [await post() for _ in range(2)]

        assert (503, "1.5", 202) == (passing.status_code, passing.headers["Retry-After"], after.status_code)
        assert ["ErrorX", "ErrorX"] == final
        assert 202 == (await send(rig, mail())).status_code
        assert [(429, "2"), (202, None)] == [(c.status_code, c.headers.get("Retry-After")) for c in cards]
        assert 3 == len((await rig.http.get("/_sim/inbox.json")).json()["messages"])


async def test_a_card_arrives():
    """A Teams workflow answers 202; text, facts and link buttons are drawn, other actions only named."""
    body = card(
        {"type": "TextBlock", "text": "Closure of **Contoso**, see [the plan](" + LINK + ")"},
        {"type": "Container", "items": [{"type": "FactSet", "facts": [{"title": "Users", "value": "<2000>"}]}]},
        {"type": "Media"},
        actions=[
            {"type": "Action.OpenUrl", "title": "Open", "url": LINK},
            {"type": "Action.OpenUrl", "title": "Evil", "url": "javascript:alert(1)"},
            {"type": "Action.Submit", "title": "Approve"},
        ],
    )
    async with running() as rig:
        answer = await rig.http.post("/_teams/workflows/w1", json=body)
        found = (await rig.http.get("/_sim/inbox.json", params={"to": "workflow:w1"})).json()["messages"]
        page = (await rig.http.get("/_sim/inbox")).text

        assert 202 == answer.status_code
        assert body["attachments"][0]["content"] == found[0]["card"]
        assert "<dt>Users</dt><dd>&lt;2000&gt;</dd>" in page
        assert 2 == page.count(f'href="{LINK.replace("&", "&amp;")}"')
        assert 'href="javascript' not in page
        assert "Approve works only inside Teams" in page


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"type": "message"},
        {"type": "message", "attachments": []},
        {"type": "x", "attachments": [3]},
        card() | {"type": "x"},
    ],
)
async def test_bad_cards(body):
    """What is no message with an Adaptive Card is refused with 400."""
    async with running() as rig:
        assert 400 == (await rig.http.post("/_teams/workflows/w1", json=body)).status_code


async def test_a_card_may_be_too_large():
    """Teams refuses messages above 28 KB."""
    async with running() as rig:
        answer = await rig.http.post("/_teams/workflows/w1", json=card({"type": "TextBlock", "text": "x" * 30_000}))

        assert 413 == answer.status_code


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"message": {"toRecipients": []}}, 400),
        ({"message": {"toRecipients": [{"emailAddress": {}}]}}, 400),
        ({"message": {"toRecipients": ["ann"]}}, 400),
    ],
)
async def test_bad_mails(body, status):
    """A mail without a usable recipient is an error in Graph's shape."""
    async with running() as rig:
        answer = await send(rig, body)

        assert status == answer.status_code
        assert answer.json()["error"]["code"]


async def test_unknown_sender():
    """A mailbox that does not exist cannot send."""
    async with running() as rig:
        assert 404 == (await send(rig, mail(), "nobody@fabrikam.com")).status_code
