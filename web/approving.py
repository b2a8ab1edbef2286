"""The approver's page: behind a personal link in a message, or at the gate's own address after sign-in.

GET shows and writes nothing, whoever fetches it. POST takes a form of our own page and decides once. The link's token
says whose page it is; where more is at stake than going on, that very person has to be signed in as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import azure.functions as func

from tenantclosure.errors import RequestRefused
from tenantclosure.model.people import Person
from tenantclosure.names import REMOVED_FAMILIES, Gate
from tenantclosure.policy import rollback
from tenantclosure.policy.approvers import judged
from tenantclosure.policy.quorum import key_of
from tenantclosure.ports import JSON
from tenantclosure.rendering.wording import irreversible
from web import csrf, pages, refusals
from web.answers import page_answer, see_other
from web.body import fields, form_body
from web.checks import check_person, check_state, gate_name, gate_of
from web.closures import row_of
from web.decisions import said_in, say
from web.links import Link, check_usable, hindrance, link_of, used
from web.plan_pages import difference_of
from web.principal import sign_in
from web.problems import refuse
from web.route import Call
from web.view import closure_view, gate_document, known_of, manifest_of

FORM = frozenset({"csrf", "decision", "digest", "serial", "comment", "domain"})
WIDE = 300
"""Width of the longest bar in the picture of the plan."""


@dataclass(frozen=True, slots=True)
class Page:
    """One approver's page: `person` is whose it is, `signed_in` whether that very person is. `place` is what its form
    is bound to, `hindered` why nobody decides with it as things are.
    """

    row: JSON
    gate: JSON
    person: Person
    signed_in: bool
    path: str
    place: str
    hindered: RequestRefused | None = None


async def show_link(call: Call) -> func.HttpResponse:
    """The addressee's page; once the link is used, what was decided with it."""
    link = await link_of(call)
    page = _behind(call, link)
    if link.doc["usedAt"]:
        return await _decided(call, page, link)
    check_usable(link, call.parts.clock.now())
    return await _shown(call, page)


async def answer_link(call: Call) -> func.HttpResponse:
    """Decide with the page's form; the link is used up by it."""
    link = await link_of(call)
    page = _behind(call, link)
    form = _form(call, page)
    if link.doc["usedAt"]:
        raise used(link)
    check_usable(link, call.parts.clock.now())
    if page.hindered:
        raise page.hindered

    async def use() -> None:
        if not await call.parts.ledger.use_link(link.token_hash, form["decision"]):
            raise used(await link_of(call))

    return await _decide(call, page, form, "link", use) or await _decided(call, page, await link_of(call))


async def show_gate(call: Call) -> func.HttpResponse:
    """The same page for an approver who is signed in."""
    return await _shown(call, await _at_gate(call))


async def answer_gate(call: Call) -> func.HttpResponse:
    """Decide with the page's form, then show the page again."""
    page = await _at_gate(call)
    return await _decide(call, page, _form(call, page), "page", None) or see_other(page.path)


def _behind(call: Call, link: Link) -> Page:
    here = call.person if call.person is not None and link.is_for(call.person) else None
    return Page(
        link.row,
        link.gate,
        here or link.person,
        here is not None,
        link.path,
        f"link:{link.token_hash}",
        hindrance(link, call.person, call.parts.settings.home_tenant_id),
    )


async def _at_gate(call: Call) -> Page:
    row = await row_of(call)
    call.trail.closure, name = row["closureId"], gate_name(call.req.route_params["gate"])
    call.trail.gate = name
    gate = await gate_of(call.parts, row, name)
    if gate is None:
        raise refuse(
            404, "gate-not-open", f"The gate {name} has not been opened yet.", "Follow the closure until it opens."
        )
    path = f"/closures/{row['closureId']}/gates/{name}"
    return Page(row, gate, call.who, signed_in=True, path=path, place=f"gate:{row['closureId']}/{name}")


def _form(call: Call, page: Page) -> dict[str, str]:
    """The form's fields without the hidden one, which has to be right. Raises RequestRefused."""
    form = fields(form_body(call.req), FORM)
    csrf.check(call.req, call.parts, form.pop("csrf", ""), page.place, page.person.key)
    return form


async def _decide(
    call: Call, page: Page, form: dict[str, str], via: str, use: Callable[[], Awaitable[None]] | None
) -> func.HttpResponse | None:
    """Take the form's decision and return None; the page with what to correct above the form when it was mistyped."""
    try:
        said = said_in(form)
        await say(
            call.parts,
            call.client,
            page.row,
            page.gate["gate"],
            page.person,
            said.word,
            serial=said.serial,
            digest=said.digest,
            comment=said.comment,
            domain=said.domain,
            via=via,
            use=use,
        )
    except RequestRefused as error:
        if error.status != 400:
            raise
        await refusals.note(call.parts, call.trail, error.kind, via, {})
        return await _shown(call, page, f"{error.detail} {error.remedy}", form.get("comment", ""), 400)
    return None


async def _shown(call: Call, page: Page, problem: str = "", comment: str = "", status: int = 200) -> func.HttpResponse:
    """The page with its form."""
    parts, row, gate = call.parts, page.row, page.gate
    closure, serial = row["closureId"], gate["serial"]
    known = await known_of(parts, closure)
    view, manifest, difference, head = await asyncio.gather(
        closure_view(parts, row, known),
        manifest_of(parts, closure, serial),
        difference_of(parts, closure, serial),
        parts.ledger.audit_head(closure),
    )
    view, document = _summary(page, view, gate_document(parts, gate, known))
    if difference and not page.signed_in:
        difference = {**difference, "families": {f: {**d, "items": []} for f, d in difference["families"].items()}}
    hindered = page.hindered or await _barred(call, page)
    field, headers = csrf.field_for(call.req, parts, page.place, page.person.key)
    html = pages.render(
        "approval.html",
        view=view,
        gate=document,
        person={"upn": page.person.upn, "name": page.person.name},
        signed_in=page.signed_in,
        must_sign_in=hindered is not None and hindered.kind in ("sign-in-needed", "other-person"),
        # To the gate's own page: a token has no business in the addresses that a sign-in passes on.
        sign_in=sign_in(f"/closures/{closure}/gates/{gate['gate']}"),
        may_decide=hindered is None,
        why_not=f"{hindered.detail} {hindered.remedy}" if hindered else "",
        action=page.path,
        csrf=field,
        needs_domain=gate["gate"] == Gate.DELETE_TENANT,
        families=_families(manifest),
        irreversible=irreversible(gate["gate"], row.get("initialDomain", "")),
        difference=difference,
        head=head,
        mine=_mine(known.decisions, page),
        plan_url=f"/closures/{closure}/plan?serial={serial}" if page.signed_in else "",
        problem=problem,
        comment=comment,
        reason=row["request"]["reason"],
        refresh=None,
    )
    return page_answer(html, status, headers)


async def _decided(call: Call, page: Page, link: Link) -> func.HttpResponse:
    """What the person decided with a link, and what it came to."""
    known = await known_of(call.parts, page.row["closureId"])
    mine = _mine(known.decisions, page)
    if mine is None or mine["at"] < link.doc["usedAt"]:
        # A crash came between the link and the decision: nothing was decided, and nobody may think so.
        raise refuse(
            409,
            "link-used",
            "This link was used, but no decision of yours is on record.",
            f"Sign in at {link.gate_path} and decide there.",
        )
    view = await closure_view(call.parts, page.row, known)
    view, document = _summary(page, view, gate_document(call.parts, page.gate, known))
    html = pages.render(
        "decided.html",
        view=view,
        gate=document,
        decision=mine,
        state=judged(page.gate, call.parts.policy, known.decisions, call.parts.clock.now()).state,
        missing=document["missing"],
        signed_in=page.signed_in,
        person={"upn": page.person.upn, "name": page.person.name},
        refresh=None,
    )
    return page_answer(html)


async def _barred(call: Call, page: Page) -> RequestRefused | None:
    """Why this person's word would not be taken at this gate now; None when it would be."""
    try:
        check_person(call.parts, page.row, page.gate, page.person)
        await check_state(call.parts, page.row, page.gate, page.gate["gate"])
    except RequestRefused as error:
        return error
    return None


def _summary(page: Page, view: JSON, gate: JSON) -> tuple[JSON, JSON]:
    """What the holder of a mere link may see: no names out of the tenant, no comments, no troubles."""
    if page.signed_in:
        return view, gate
    bare = [{**said, "comment": ""} for said in gate["decisions"]]
    view = {**view, "gate": None, "blockers": [], "tasks": {**view["tasks"], "ids": []}}
    return view, {**gate, "decisions": bare, "failed": []}


def _families(manifest: JSON | None) -> list[JSON]:
    """The plan as a picture: a bar per family, the longest WIDE."""
    listed = (manifest or {"families": {}})["families"]
    if manifest and manifest.get("kind") == rollback.KIND:
        counts = rollback.counts(manifest)
    else:
        counts = {str(family): int(listed[family]["count"]) for family in REMOVED_FAMILIES if family in listed}
    most = max(counts.values(), default=0) or 1
    return [
        {"family": family, "count": count, "width": round(WIDE * count / most, 1)} for family, count in counts.items()
    ]


def _mine(decisions: list[JSON], page: Page) -> JSON | None:
    """The person's last word at this gate: {decision, at, comment}."""
    last: JSON | None = None
    for said in decisions:
        here = (said["gate"], said["serial"]) == (page.gate["gate"], page.gate["serial"])
        if here and key_of(said["person"]) == page.person.key:
            last = {key: said[key] for key in ("decision", "at", "comment")}
    return last
