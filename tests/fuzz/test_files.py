"""What people write: the request, its file, the approval policy, the settings. Read as meant, or refused by name."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jsonschema
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from cli.errors import BadInput
from cli.request_file import load, read_request
from tenantclosure.errors import RequestRefused, SettingsError
from tenantclosure.model.approval_policy import parse_policy
from tenantclosure.model.request import parse_request
from tenantclosure.settings import Settings
from tenantclosure.settings import load as load_settings
from tests.fuzz.rig import BODIES, JUNK, Body, fuzz, spoiled
from tests.web.rig import HOME, TARGET, request
from web.schema import request_schema

SCHEMA = jsonschema.Draft202012Validator(request_schema())
FULL = request(
    quietDays=7,
    helpers=["hal@fabrikam.com"],
    keep=["ann@contoso.com"],
    azure={"ignoreResources": True, "deleteAtOnce": False},
    requestedBy="olga@fabrikam.com",
    externalDirectory=f"/subscriptions/{TARGET}/resourceGroups/rg/providers/Microsoft.AzureActiveDirectory/"
    "ciamDirectories/contoso",
)


@fuzz(50)
@given(spoiled(FULL) | JUNK)
def test_a_request_means_the_same_to_the_model_and_to_the_schema(document: Any) -> None:
    """What the model takes the published schema allows; stored and read again it is the same; else a field is named."""
    try:
        found = parse_request(document)
    except RequestRefused as refused:
        assert refused.field and refused.detail and refused.remedy
        assert len(str(refused)) < 2_000 and len(json.dumps(refused.extra)) < 8_000
        return
    assert found == parse_request(found.to_dict())
    assert found == parse_request(json.loads(json.dumps(found.to_dict())))
    stripped = json.loads(json.dumps(document), object_pairs_hook=lambda pairs: {k: _plain(v) for k, v in pairs})
    SCHEMA.validate(stripped)


def _plain(value: Any) -> Any:
    """As a person would write it: the model takes spaces around texts and capitals in addresses, too."""
    if isinstance(value, str):
        return value.strip()
    return [_plain(one) for one in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


ODD_YAML = st.sampled_from(
    [
        b"a: !!int ''",
        b"a: !!bool x",
        b"a: !!timestamp x",
        b"a: !!float ''",
        b"a: 2026-99-99",
        b"a: 0001-01-01 00:00:00 +23:59",
        b"!!map ab",
        b"!!map [a]",
        b"!!set {a, b}",
        b"!!omap [a]",
        b"!!pairs x",
        b"? {a: 1}\n: 2",
        b"? [a]\n: 2",
        b"<<: 1",
        b"<<: [1]",
        b"<<: {a: 1}\na: 2",
        b"&a [*a]",
        b"a: &a {b: *a}",
        b"a: 1:99:99",
        b"a: 0b",
        b"a: 0o9",
        b"a: 1_000",
        b"a: .nan",
        b"!!python/object:os.system {}",
        b"!!binary x",
        b"%YAML 9.9\n--- a",
        b"--- a\n--- b",
        b"\t",
        b"a: 1\na: 2",
        b"[" * 5000,
        b"a:\n" + b" " * 400 + b"- " * 3000,
        b"{" * 5000,
        b"a: " + b"9" * 5000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b"\x00",
        b'a: "\\ud800"',
        b"\xef\xbb\xbf{}",
        b"@",
        b"a: *nowhere",
        b"- &x a\n- {*x : 1, a: 2}",
    ]
).map(Body)
TEXT_FILES = st.one_of(
    BODIES, ODD_YAML, spoiled(FULL).map(lambda found: yaml.safe_dump(found).encode("utf-8", "replace"))
)


@fuzz(37)
@example(data=Body(b"a: !!int ''"), name="r.yaml")
@example(data=Body(b"a: !!bool x"), name="r.yaml")
@example(data=Body(b"a: !!timestamp x"), name="r.yaml")
@example(data=Body(b'{"a": ' + b"9" * 5000 + b"}"), name="r.json")
@given(TEXT_FILES, st.sampled_from(["r.yaml", "r.json", "r"]))
def test_any_request_file_is_read_or_named(folder: Path, data: bytes, name: str) -> None:
    """JSON or YAML of any kind: a request, or one sentence that names the file or the field."""
    path = folder / name
    path.write_bytes(data)
    try:
        found = read_request(str(path))
    except BadInput as refused:
        assert refused.field and refused.detail and refused.remedy
        return
    assert found == parse_request(found.to_dict())


@fuzz(15)
@given(spoiled(request(), most=1))
def test_a_written_document_is_the_one_that_is_read(folder: Path, document: Any) -> None:
    """JSON written to a file is the same document to the command, unless it stands there twice or can't be."""
    path = folder / "written.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    try:
        found = load(str(path))
    except BadInput:
        return
    assert json.dumps(document, sort_keys=True) == json.dumps(found, sort_keys=True)


POLICY: dict[str, Any] = {
    "groups": {"it": ["ann@fabrikam.com", "bob@fabrikam.com"], "owner": ["cyd@fabrikam.com"]},
    "deputies": {"it": ["dee@fabrikam.com"]},
    "gates": {"plan": {"groups": {"it": 1}, "distinct": 2, "answerByDays": 7, "remindAfterDays": [1, 3]}},
    "limits": [{"over": {"objects": 10_000, "share": 0.5}, "groups": {"owner": 1}}],
    "window": {"days": ["sat", "sun"], "from": "22:00", "to": "06:00", "timeZone": "Europe/Berlin"},
}
EASY = {**POLICY, "window": None}


@pytest.mark.slow
@fuzz(37)
@example(data=Body(b"a: !!int ''"))
@example(data=Body(b"a: 2026-99-99"))
@example(data=Body(b"[" * 5000))
@example(data=Body(yaml.safe_dump({**POLICY, "gates": {"plan": {"executeByDays": 8}}}).encode()))
@given(TEXT_FILES | spoiled(EASY).map(lambda found: yaml.safe_dump(found).encode("utf-8", "replace")))
def test_any_policy_file_is_a_policy_or_a_sentence(data: bytes) -> None:
    """A policy that holds everything it says, or SettingsError; never another error, never a half-read one."""
    try:
        found = parse_policy(data.decode("utf-8", "replace"))
    except SettingsError as refused:
        assert "CLOSURE_APPROVAL_POLICY" in str(refused)
        return
    assert found.groups
    for gate in found.gates.values():
        assert all(1 <= quorum <= len(set(found.groups[group])) for group, quorum in gate.groups.items())
    assert set(found.deputies) <= set(found.groups)


WINDOWS = spoiled(POLICY["window"], most=1)


@fuzz(5)
@given(WINDOWS)
def test_any_window_is_one_or_a_sentence(window: Any) -> None:
    """Days, times and zone of any kind."""
    try:
        found = parse_policy(yaml.safe_dump({**EASY, "window": window}))
    except SettingsError as refused:
        assert "CLOSURE_APPROVAL_POLICY" in str(refused)
        return
    assert found.window is None or found.window.days


GOOD = {
    "CLOSURE_CREDENTIAL": "certificate",
    "CLOSURE_CLIENT_ID": "app",
    "CLOSURE_CERTIFICATE_FILE": "closure.pem",
    "CLOSURE_HOME_TENANT_ID": HOME,
}
REHEARSAL = {
    "CLOSURE_CLOUD": "custom",
    **{f"CLOSURE_{name}_URL": "http://127.0.0.1:1" for name in ("GRAPH", "LOGIN", "ARM", "PARTNER")},
    "CLOSURE_CREDENTIAL": "static",
    "CLOSURE_STATIC_TOKEN": "s3cret-token",
}
ALIASES = sorted(str(field.alias) for field in Settings.model_fields.values())
ODD_VALUES = st.sampled_from(
    (
        *("", "0", "-1", "inf", "nan", "1e309", "9" * 5000, "\u00b2", "\u00b2/\u00b2", "1/0", "20/3000", "a:\u00b2"),
        *("http://[", "https://[x", "https://x.example", "http://127.0.0.1:x", "true", "static", "custom", "x@y"),
        "smtp.example.com:587",
    )
)
VALUES = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20) | ODD_VALUES


@pytest.fixture(scope="module")
def clean() -> Iterator[None]:
    """An environment without settings of ours."""
    with patch.dict(os.environ):
        for name in ALIASES:
            os.environ.pop(name, None)
        yield


@fuzz(50)
@example(base=GOOD, changes={"CLOSURE_WRITE_LIMIT": "\u00b2/\u00b2"})
@example(base=GOOD, changes={"CLOSURE_SMTP": "a:\u00b2", "CLOSURE_MAIL_FROM": "x@y"})
@example(base=REHEARSAL, changes={"CLOSURE_DAY_SECONDS": "inf"})
@example(base=REHEARSAL, changes={"CLOSURE_ARM_URL": "http://["})
@given(
    st.sampled_from([GOOD, REHEARSAL]),
    st.dictionaries(st.sampled_from(ALIASES), VALUES, max_size=3),
)
def test_any_environment_is_settings_or_a_sentence(clean: None, base: dict[str, str], changes: dict[str, str]) -> None:
    """Settings that can be used, or SettingsError that names one and shows no secret."""
    with patch.dict(os.environ, {**base, **changes}):
        try:
            found = load_settings()
        except SettingsError as refused:
            text = str(refused)
            assert "CLOSURE_" in text or "WEBSITE_" in text
            assert "s3cret-token" not in text and "invalid literal" not in text
            return
    assert 0 < found.day_seconds < float("inf")
    assert found.rate > 0 and found.burst > 0
    assert all(found.endpoint(name).startswith("http") for name in ("graph", "login", "arm", "partner"))
    assert not found.smtp or int(found.smtp.rpartition(":")[2]) <= 65_535
