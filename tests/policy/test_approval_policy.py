"""The approval policy file: loaded whole or refused in one sentence that names the setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantclosure.errors import SettingsError
from tenantclosure.model.approval_policy import ApprovalPolicy
from tenantclosure.wiring import load_policy

GOOD = """
groups:
  it: [Ann@fabrikam.com, bob@fabrikam.com]
gates:
  plan: {groups: {it: 2}, distinct: 2, answerByDays: 5, executeByDays: 1.5}
"""


def test_a_policy_is_read(tmp_path: Path) -> None:
    """Groups, quorums and days come out as written; a gate without a rule asks for two people."""
    file = tmp_path / "policy.yaml"
    file.write_text(GOOD)
    policy = load_policy(file, rehearsal=False)
    assert policy.groups == {"it": ["ann@fabrikam.com", "bob@fabrikam.com"]}
    assert (policy.rule("plan").groups, policy.rule("plan").execute_by_days) == ({"it": 2}, 1.5)
    assert policy.rule("delete-tenant").distinct == 2


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "the file"),
        ("[1, 2]", "the file"),
        ("groups: [", "YAML"),
        ("gates: {}", "groups"),
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
