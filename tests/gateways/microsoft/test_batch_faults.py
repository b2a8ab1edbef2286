"""`$batch` against a server that shuffles, garbles, throttles and forgets: one answer per id, whatever comes."""

from __future__ import annotations

import random
from typing import Any

import pytest
from aiohttp import web

from tenantclosure.errors import ServiceTrouble, Throttled
from tenantclosure.gateways.http import CONNECT_SECONDS, READ_SECONDS
from tenantclosure.names import Family

IDS = [f"id/{n}?#" for n in range(20)]


def answer_each(seen: Any, **given: Any) -> list[dict[str, Any]]:
    """A 204 for every request, except what `given` says by request id."""
    return [{"id": r["id"], "status": 204, **given.get("r" + r["id"], {})} for r in seen.body["requests"]]


async def test_answers_come_in_the_ids_order(graph, server) -> None:
    """Responses in any order, with or without body, end up with their ids; ids are quoted; one low-priority call."""

    def script(seen: Any) -> Any:
        responses = answer_each(
            seen,
            r3={
                "status": 404,
                "body": {"error": {"code": "Request_ResourceNotFound", "message": "gone", "innerError": {}}},
            },
            r7={"status": 429, "headers": {"retry-AFTER": "2.128", "REQUEST-id": "abc"}, "body": {"error": {}}},
            r8={
                "status": 403,
                "body": {"error": {"code": "Authorization_RequestDenied", "innerError": {"request-id": "in"}}},
            },
        )
        random.Random(4).shuffle(responses)
        return 200, {"responses": responses}, {"request-id": "outer"}

    server.script = script
    answers = await graph.delete_many(Family.USERS, IDS)
    assert [a.id for a in answers] == IDS
    assert [a.status for a in answers if a.id not in (IDS[3], IDS[7], IDS[8])] == [204] * 17
    assert (answers[3].absent, answers[3].code, answers[3].request_id) == (True, "Request_ResourceNotFound", "outer")
    assert (answers[7].retry_after, answers[7].request_id, answers[7].transient) == (2.128, "abc", True)
    assert (answers[8].code, answers[8].request_id) == ("Authorization_RequestDenied", "in")
    (call,) = server.seen
    assert (call.path, call.headers["x-ms-throttle-priority"]) == ("/v1.0/$batch", "low")
    assert call.body["requests"][0] == {"id": "0", "method": "DELETE", "url": "/users/id%2F0%3F%23"}


async def test_how_much_of_the_quota_is_used(graph, server) -> None:
    """Each item's own word counts, then the batch's; what is no number says nothing."""
    own = {"headers": {"X-MS-Throttle-Limit-Percentage": "0.85"}}

    def script(seen: Any) -> Any:
        responses = answer_each(seen, r0=own, r1={"headers": {"x-ms-throttle-limit-percentage": "nan"}})
        return 200, {"responses": responses}, {"x-ms-throttle-limit-percentage": "1.2"}

    server.script = script
    answers = await graph.delete_many(Family.USERS, IDS[:3])
    assert [0.85, 1.2, 1.2] == [answer.used for answer in answers]
    server.script = lambda seen: {"responses": answer_each(seen)}
    assert [None] * 3 == [answer.used for answer in await graph.delete_many(Family.USERS, IDS[:3])]


async def test_missing_and_garbled_responses(graph, server) -> None:
    """An item without an answer has status 0, and so has one with two that differ; unknown and garbled ids change
    nothing.
    """
    odd = [
        {"id": "99", "status": 204},
        {"id": "-1", "status": 204},
        {"id": "01", "status": 204},
        {"id": "²", "status": 204},
        {"id": None, "status": 204},
        {"status": 204},
        {"id": "1", "status": "204"},
        {"id": "0", "status": 204, "headers": None},
        {"id": "0", "status": 204},
        {"id": "3", "status": 204},
        {"id": "3", "status": 500},
        {"id": "3", "status": 204},
        {"id": "1" * 5000, "status": 204},
        {"id": "1", "status": 10**15},
        "text",
        None,
        {"id": 2, "status": 400, "headers": ["x"], "body": "not an object"},
    ]
    server.script = lambda seen: {"responses": odd}
    answers = await graph.delete_many(Family.APPLICATIONS, ["a", "b", "c", "d"])
    assert [(a.id, a.status) for a in answers] == [("a", 204), ("b", 0), ("c", 400), ("d", 0)]
    assert answers[1].transient


@pytest.mark.parametrize(
    ("said", "error", "wait"),
    [
        pytest.param((429, {}, {"Retry-After": "1.5"}), Throttled, 1.5, id="throttled"),
        pytest.param((429, {}), Throttled, 5.0, id="throttled without a time"),
        pytest.param((429, {}, {"Retry-After": "soon"}), Throttled, 5.0, id="throttled with words"),
        pytest.param((429, {}, {"Retry-After": "inf"}), Throttled, 5.0, id="throttled for ever"),
        pytest.param((503, {}), ServiceTrouble, None, id="unavailable"),
        pytest.param((400, {"error": {"code": "BadRequest"}}), ServiceTrouble, None, id="malformed"),
        pytest.param((424, {"error": {"code": "x"}}), ServiceTrouble, None, id="424 without items"),
        pytest.param((200, {"value": []}), ServiceTrouble, None, id="no responses"),
        pytest.param((204, None), ServiceTrouble, None, id="nothing"),
        pytest.param(web.Response(text="<html>"), ServiceTrouble, None, id="html"),
        pytest.param(None, ServiceTrouble, None, id="reset"),
    ],
)
async def test_a_failed_outer_call_answers_for_nobody(graph, server, said, error, wait) -> None:
    """Trouble with the whole call is an exception, never twenty made-up answers, and is not tried again here."""
    server.script = lambda seen: said
    with pytest.raises(error) as caught:
        await graph.delete_many(Family.USERS, ["a"])
    assert getattr(caught.value, "retry_after", None) == wait
    assert len(server.seen) == 1


async def test_an_outer_424_still_carries_answers(graph, server) -> None:
    """Older services answer 424 outside; the items' own answers count."""
    server.script = lambda seen: (424, {"responses": [{"id": "0", "status": 429, "headers": {"Retry-After": "3"}}]})
    (answer,) = await graph.delete_many(Family.USERS, ["a"])
    assert (answer.status, answer.retry_after) == (429, 3.0)


async def test_limits_of_a_batch(graph, server) -> None:
    """More than 20 requests, or a family that Graph does not delete, never leave; no ids, no call."""
    with pytest.raises(ValueError, match="20"):
        await graph.delete_many(Family.USERS, ["x"] * 21)
    with pytest.raises(ValueError, match="can't be deleted"):
        await graph.delete_many(Family.SUBSCRIPTIONS, ["x"])
    assert await graph.delete_many(Family.USERS, []) == []
    assert server.seen == []


async def test_states_of_asks_the_bin_only_for_the_missing(graph, server) -> None:
    """Present, deleted and gone are told apart; an unclear one is an error, not a guess."""
    live = {"p": 200, "d": 404, "g": 404}
    binned = {"d": 200, "g": 404}

    def script(seen: Any) -> Any:
        responses = []
        for r in seen.body["requests"]:
            table = binned if "deletedItems" in r["url"] else live
            responses.append({"id": r["id"], "status": table[r["url"].split("?")[0].rsplit("/", 1)[1]]})
        return {"responses": responses}

    server.script = script
    assert await graph.states_of(Family.USERS, ["p", "d", "g"]) == {"p": "present", "d": "deleted", "g": "gone"}
    assert [len(seen.body["requests"]) for seen in server.seen] == [3, 2]
    live["p"] = 403
    with pytest.raises(ServiceTrouble, match="403"):
        await graph.states_of(Family.USERS, ["p"])
    live["p"] = 429
    with pytest.raises(Throttled):
        await graph.states_of(Family.USERS, ["p"])


async def test_what_has_no_bin_is_gone(graph, server) -> None:
    """A domain is not looked for among deleted objects: Graph takes only object ids there."""
    server.script = lambda seen: {"responses": [{"id": r["id"], "status": 404} for r in seen.body["requests"]]}
    assert await graph.states_of(Family.DOMAINS, ["contoso.com"]) == {"contoso.com": "gone"}
    assert [[r["url"] for r in seen.body["requests"]] for seen in server.seen] == [["/domains/contoso.com?$select=id"]]


async def test_blocking_joins_two_answers(graph, server) -> None:
    """The disabling decides; a revocation that may succeed later is passed on, a refused one is noted."""
    revoked = [200, 400, 503]

    def script(seen: Any) -> Any:
        requests = seen.body["requests"]
        assert requests[0]["headers"] == {"Content-Type": "application/json"}
        status = [204 if r["method"] == "PATCH" else revoked[int(r["id"]) // 2] for r in requests]
        return {"responses": [{"id": r["id"], "status": s} for r, s in zip(requests, status, strict=True)]}

    server.script = script
    plain, guest, busy = await graph.block_sign_in(["a", "b", "c"])
    assert (plain.status, plain.message) == (204, "")
    assert guest.status == 204 and "400" in guest.message
    assert busy.status == 503


async def test_mfa_uses_beta_and_knows_unknown(graph, server) -> None:
    """States come from beta; refusals and new words are unknown."""
    bodies = [
        {"status": 200, "body": {"perUserMfaState": "enforced"}},
        {"status": 404, "body": {}},
        {"status": 200, "body": {"perUserMfaState": "new"}},
    ]
    server.script = lambda seen: {"responses": [{"id": str(n), **body} for n, body in enumerate(bodies)]}
    assert await graph.mfa_states(["a", "b", "c"]) == {"a": "enforced", "b": "unknown", "c": "unknown"}
    assert server.seen[0].path == "/beta/$batch"


async def test_single_switches_answer_with_refusals(graph, server) -> None:
    """Sync off and the sign-up policy hand refusals on as answers."""
    server.script = lambda seen: (403, {"error": {"code": "Authorization_RequestDenied"}}, {"request-id": "r"})
    answer = await graph.turn_off_sync()
    assert (answer.status, answer.code, answer.request_id) == (403, "Authorization_RequestDenied", "r")
    assert server.seen[0].body == {"onPremisesSyncEnabled": False}
    assert (await graph.set_sign_up_policy({"allowInvitesFrom": "none"})).status == 403
    assert await graph.security_defaults() is None


async def test_a_refused_token_is_renewed_once_for_a_write(graph, server) -> None:
    """A 401 costs one more try."""
    server.script = lambda seen: (401, {}) if len(server.seen) == 1 else {"responses": answer_each(seen)}
    assert (await graph.delete_many(Family.USERS, ["a"]))[0].done
    assert len(server.seen) == 2


async def test_errors_name_no_token_and_no_body(graph, server) -> None:
    """What fails says method, path and status, nothing else."""
    server.script = lambda seen: (500, {"error": {"message": "secret of ann@contoso.com"}})
    with pytest.raises(ServiceTrouble) as caught:
        await graph.delete_many(Family.USERS, ["a"])
    assert str(caught.value) == "POST /v1.0/$batch: HTTP 500"
    assert CONNECT_SECONDS < READ_SECONDS
