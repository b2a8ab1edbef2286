"""The approval policy file: loaded whole or refused in one sentence that names the setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantclosure.errors import SettingsError
from tenantclosure.model.approval_policy import ApprovalPolicy, GateRule, parse_policy
from tenantclosure.wiring import load_policy

GOOD = """
groups:
  it: [Ann@fabrikam.com, bob@fabrikam.com]
gates:
  plan: {groups: {it: 2}, distinct: 2, answerByDays: 5, executeByDays: 1.5, remindAfterDays: [2], escalateAfterDays: 3}
  go-on: {executeByDays: 7, decideInTeams: true}
deputies:
  it: [Dee@fabrikam.com]
limits:
  - {over: {objects: 5000, share: 0.9}, groups: {it: 2}}
"""
WINDOW = """
window: {days: [fri, sat], from: "20:00", to: "06:00", timeZone: Europe/Berlin}
"""


def test_a_policy_is_read(tmp_path: Path) -> None:
    """Groups, quorums and days come out as written; a gate without a rule asks for two people."""
    file = tmp_path / "policy.yaml"
    file.write_text(GOOD)
    policy = load_policy(file, rehearsal=False)
    assert policy.groups == {"it": ["ann@fabrikam.com", "bob@fabrikam.com"]}
    assert (policy.rule("plan").groups, policy.rule("plan").execute_by_days) == ({"it": 2}, 1.5)
    assert policy.rule("delete-tenant").distinct == 2
    assert ([2], 3) == (policy.rule("plan").remind_after_days, policy.rule("plan").escalate_after_days)
    assert ([1, 3], 4) == (policy.rule("go-on").remind_after_days, policy.rule("go-on").escalate_after_days)
    assert [False, True, False] == [policy.rule(gate).decide_in_teams for gate in ("plan", "go-on", "delete-tenant")]
    assert {"it": ["dee@fabrikam.com"]} == policy.deputies
    assert ({"it": 2}, 5000, 0.9) == (
        policy.limits[0].groups,
        policy.limits[0].over.objects,
        policy.limits[0].over.share,
    )
    assert policy.window is None


def test_a_window_is_read(tmp_path: Path) -> None:
    """Days, times and zone of the window come out as written, once every gate's approval lives to see it open."""
    file = tmp_path / "policy.yaml"
    gates = "gates: {plan: {executeByDays: 6.5}, go-on: {executeByDays: 7}, delete-tenant: {executeByDays: 6.5}}"
    file.write_text(f"groups: {{it: [a@b.com]}}\n{gates}{WINDOW}")
    window = load_policy(file, rehearsal=False).window
    assert window is not None
    assert (["fri", "sat"], "20:00", "06:00", "Europe/Berlin") == (
        window.days,
        window.opens,
        window.closes,
        window.time_zone,
    )


def test_the_documented_policy_is_accepted() -> None:
    """The example of docs/settings.md loads, and its table tells of every key that a gate has."""
    text = (Path(__file__).parents[2] / "docs/settings.md").read_text(encoding="utf-8")
    policy = parse_policy(text.split("```yaml\n")[1].split("```")[0])
    assert policy.window is not None
    assert 2 == len(policy.limits)
    for field in GateRule.model_fields.values():
        assert f"| `{field.alias}`" in text or field.alias is None


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "the file"),
        ("[1, 2]", "the file"),
        ("groups: [", "YAML"),
        ("gates: {}", "groups"),
        ("groups: {it: [a@b.com], it: [b@b.com]}", "it stands twice"),
        ("groups: {it: [a@b.com]}\ngates:\n  plan: {distinct: 3}\n  plan: {distinct: 1}", "plan stands twice"),
        ("groups: {it: [ann]}", "groups.it.0"),
        ("groups: {it: [a@b.com]}\nsurprise: 1", "surprise"),
        ("groups: {it: [a@b.com]}\ngates: {lunch: {}}", "gates.lunch"),
        ("groups: {it: [a@b.com]}\ngates: {plan: {groups: {legal: 1}}}", "legal"),
        ("groups: {it: [a@b.com]}\ngates: {plan: {groups: {it: 2}}}", "asks for 2 of it"),
        ("groups: {it: [a@b.com, A@b.com]}\ngates: {plan: {groups: {it: 2}}}", "has 1 people"),
        ("groups: {it: [a@b.com]}\ngates: {plan: {groups: {it: 0}}}", "asks for 0 of it"),
        ("groups: {it: [a@b.com]}\ngates: {plan: {groups: {it: true}}}", "gates.plan.groups.it"),
        ("groups: {it: [a@b.com]}\ngates: {plan: {distinct: yes}}", "gates.plan.distinct"),
        ("groups: {it: [a@b.com]}\ngates: {plan: {distinct: 0}}", "gates.plan.distinct"),
        ("groups: {it: [a@b.com]}\ngates: {plan: {distinct: '2'}}", "gates.plan.distinct"),
        ("groups: {it: [a@b.com]}\ngates: {plan: {answerByDays: 0}}", "gates.plan.answerByDays"),
        ("groups: {it: [a@b.com]}\ngates: {plan: {executeByDays: .nan}}", "gates.plan.executeByDays"),
        ("groups: {it: [a@b.com]}\ngates: {plan: {executeByDays: .inf}}", "gates.plan.executeByDays"),
        ("groups: {it: [a@b.com]}\ngates: {plan: null}", "gates.plan"),
        (b"groups: \xff\xfe", "UTF-8"),
        *(
            (f"groups: {{it: [a@b.com]}}\n{line}", named)
            for line, named in [
                ("deputies: {legal: [a@b.com]}", "the group legal"),
                ("deputies: {it: [ann]}", "deputies.it.0"),
                ("limits: [{over: {objects: 1}, groups: {legal: 1}}]", "the group legal"),
                ("limits: [{over: {objects: 1}, groups: {it: 2}}]", "asks for 2 of it"),
                ("limits: [{over: {objects: 1}, groups: {it: 0}}]", "limits.0.groups.it"),
                ("limits: [{over: {objects: 1}, groups: {}}]", "limits.0.groups"),
                ("limits: [{over: {objects: 1}}]", "limits.0.groups"),
                ("limits: [{over: {}, groups: {it: 1}}]", "limits.0.over"),
                ("limits: [{over: {objects: -1}, groups: {it: 1}}]", "limits.0.over.objects"),
                ("limits: [{over: {share: 50}, groups: {it: 1}}]", "limits.0.over.share"),
                ("limits: [{over: {users: 1}, groups: {it: 1}}]", "limits.0.over.users"),
                ("limits: [{above: {objects: 1}, groups: {it: 1}}]", "limits.0"),
                ("gates: {plan: {decideInTeams: true}}", "gate plan can't be decided in Teams"),
                ("gates: {delete-tenant: {decideInTeams: true}}", "gate delete-tenant can't be decided in Teams"),
                ("gates: {go-on: {decideInTeams: 1}}", "gates.go-on.decideInTeams"),
                ("gates: {plan: {remindAfterDays: [0]}}", "gates.plan.remindAfterDays.0"),
                ("gates: {plan: {remindAfterDays: 2}}", "gates.plan.remindAfterDays"),
                ("gates: {plan: {escalateAfterDays: 0}}", "gates.plan.escalateAfterDays"),
                ("gates: {plan: {remind: [1]}}", "gates.plan.remind"),
                ("window: {days: [mon], from: '08:00', timeZone: UTC}", "window.to"),
                ("window: {days: [mon], to: '08:00', timeZone: UTC}", "window.from"),
                ("window: {days: [mon], from: '08:00', to: '18:00'}", "window.timeZone"),
                ("window: {from: '08:00', to: '18:00', timeZone: UTC}", "window.days"),
                ("window: {days: [], from: '08:00', to: '18:00', timeZone: UTC}", "window.days"),
                ("window: {days: [monday], from: '08:00', to: '18:00', timeZone: UTC}", "window.days.0"),
                ("window: {days: [mon], from: '08:00', to: '18:00', timeZone: Europe/Atlantis}", "Europe/Atlantis"),
                ("window: {days: [mon], from: '08:00', to: '18:00', timeZone: ../UTC}", "../UTC"),
                ("window: {days: [mon], from: 20:00, to: '22:00', timeZone: UTC}", 'in quotes, such as "22:00"'),
                ("window: {days: [mon], from: '20:00', to: '24:00', timeZone: UTC}", "window.to"),
                ("window: {days: [mon], from: '8:00', to: '18:00', timeZone: UTC}", "window.from"),
                ("window: {days: [mon], from: '08:00', to: '18:00', timeZone: UTC, until: x}", "window.until"),
                (
                    "window: {days: [mon, tue, wed, thu, fri, sat, sun], from: '00:00', to: '00:00', timeZone: UTC}",
                    "it never closes",
                ),
                ("window: {days: [mon], from: '08:00', to: '18:00', timeZone: UTC}", "gates.plan.executeByDays is 3"),
                (
                    "gates: {plan: {executeByDays: 9}, go-on: {executeByDays: 9}, delete-tenant: {executeByDays: 6.5}}"
                    "\n"
                    "window: {days: [mon], from: '08:00', to: '18:00', timeZone: UTC}",
                    "gates.delete-tenant.executeByDays is 6.5, but the window stays closed for up to 6.583 days",
                ),
            ]
        ),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, content: str | bytes, named: str) -> None:
    """Whatever is wrong, the message names the setting and the place, in one sentence."""
    file = tmp_path / "policy.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError) as caught:
        load_policy(file, rehearsal=False)
    text = str(caught.value)
    assert text.startswith("CLOSURE_APPROVAL_POLICY")
    assert named in text
    assert text.endswith(".")


def test_no_file_is_for_rehearsals(tmp_path: Path) -> None:
    """Without a file only a rehearsal goes on; a file that is not there never does."""
    assert load_policy(None, rehearsal=True) == ApprovalPolicy()
    with pytest.raises(SettingsError, match="missing"):
        load_policy(None, rehearsal=False)
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(SettingsError, match="can't be read"):
            load_policy(path, rehearsal=True)
