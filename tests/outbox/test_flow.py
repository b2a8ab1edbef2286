"""The workflow we ship: it parses, holds no secret, and says exactly what the callback takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tenantclosure import outbox
from tests.outbox.rig import Post
from web.callbacks import DECISION, KEYS, PERSON, REACHED

FLOWS = Path(__file__).parents[2] / "infra" / "flows"


def flow() -> dict[str, Any]:
    definition: dict[str, Any] = json.loads((FLOWS / "approval-flow.json").read_text())["definition"]
    return definition


def actions(block: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every action by name, those inside conditions included."""
    found = dict(block.get("actions", {}))
    for action in list(found.values()):
        found |= actions(action) | actions(action.get("else", {}))
    return found


def test_reports_name_the_callbacks_members_and_no_others() -> None:
    """A decision carries all of them; that a person was reached goes without a decision and a comment."""
    steps = actions(flow())
    decided, reached = (steps[name]["inputs"]["body"] for name in ("Report_decision", "Report_reached"))

    assert (set(KEYS), set(KEYS) - {"decision", "comment"}) == (set(decided), set(reached))
    assert (DECISION, REACHED) == (decided["event"], reached["event"])
    assert set(PERSON) == set(decided["person"]) == set(reached["person"])
    assert {"@{parameters('base')}/api/callbacks/approvals"} == {
        step["inputs"]["uri"] for step in steps.values() if step["type"] == "Http"
    }


def test_there_is_no_secret_in_it() -> None:
    """Credentials are parameters without a value, and the run history hides what is sent with them."""
    definition = flow()
    secure = [name for name, spec in definition["parameters"].items() if spec["type"].lower() == "securestring"]

    assert ["clientSecret"] == secure
    assert "defaultValue" not in definition["parameters"]["clientSecret"]
    for step in actions(definition).values():
        if step["type"] == "Http":
            assert ("ActiveDirectoryOAuth", "@parameters('clientSecret')") == (
                step["inputs"]["authentication"]["type"],
                step["inputs"]["authentication"]["secret"],
            )
            assert ["inputs"] == step["runtimeConfiguration"]["secureData"]["properties"]


def test_by_default_it_decides_nothing_and_never_but_at_go_on() -> None:
    """The deciding buttons and the deciding report hang on one condition: switched on, and the gate go-on."""
    definition, steps = flow(), actions(flow())

    assert definition["parameters"]["decideGoOn"]["defaultValue"] is False
    assert "@and(parameters('decideGoOn'), equals(outputs('Reference')[1], 'go-on'))" == steps["May_decide"]["inputs"]
    assert {"equals": ["@outputs('May_decide')", True]} in steps["Was_it_a_decision"]["expression"]["and"]
    assert ["reached"] == [button["data"]["word"] for button in steps["Buttons"]["inputs"]]


def test_every_step_waits_for_one_that_exists() -> None:
    """Steps name their forerunners and each other's outputs right."""
    steps = actions(flow())
    text = json.dumps(flow())
    named = {part.partition("'")[0] for form in ("outputs('", "body('") for part in text.split(form)[1:]}

    assert named <= set(steps)
    assert {name for step in steps.values() for name in step["runAfter"]} <= set(steps)
    assert {"PostCardAndWaitForResponse", "PostCardToConversation"} == {
        step["inputs"]["host"]["operationId"] for step in steps.values() if "OpenApi" in step["type"]
    }


async def test_it_finds_in_our_cards_what_they_are_about(post: Post) -> None:
    """The button's id of a question has four parts; that of other cards has not, so they are only posted."""
    await post.asked()
    await post.run()
    await post.ledger.end(post.closure, "aborted")
    await outbox.tell_ended(post.parts, await post.row())
    await post.run()
    asked, ended = (card["actions"][0].get("id", "") for card in post.channel.cards)

    assert [post.closure, "plan", "1", "d" * 64] == asked.split("|")
    assert 4 != len(ended.split("|"))
