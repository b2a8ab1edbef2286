"""The deployment's approval policy file: who may approve at which gate, and how many it takes at least."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tenantclosure.errors import SettingsError
from tenantclosure.model.request import Name, Upn
from tenantclosure.names import Gate


class GateRule(BaseModel):
    """Least conditions of one gate. Days are real days, never shortened in a rehearsal."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, strict=True)

    groups: dict[Name, int] = Field(default_factory=dict, description="Least quorum per group.")
    distinct: int = Field(default=2, ge=1, description="Least number of different people over all groups.")
    answer_by_days: float = Field(default=7, alias="answerByDays", gt=0, le=365)
    execute_by_days: float = Field(default=3, alias="executeByDays", gt=0, le=365)


class ApprovalPolicy(BaseModel):
    """Groups and their people, and a rule per gate; a request may only tighten it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    groups: dict[Name, list[Upn]] | None = Field(
        default=None, description="People who may approve, by group. None (rehearsal only): whoever the request names."
    )
    gates: dict[Gate, GateRule] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agree(self) -> ApprovalPolicy:
        for gate, rule in self.gates.items():
            for group, quorum in rule.groups.items():
                people = (self.groups or {}).get(group)
                if people is None:
                    raise ValueError(f"gate {gate} asks for the group {group}, which has no people")
                if quorum < 1 or quorum > len(set(people)):
                    raise ValueError(f"gate {gate} asks for {quorum} of {group}, which has {len(set(people))} people")
        return self

    def rule(self, gate: str) -> GateRule:
        """The gate's rule, or the default one: two different people."""
        return self.gates.get(Gate(gate), GateRule())


def load_policy(path: Path | None, *, rehearsal: bool) -> ApprovalPolicy:
    """Read the policy file. Without a file only a rehearsal may go on, where the request itself names the people.

    Raises SettingsError.
    """
    if path is None:
        if rehearsal:
            return ApprovalPolicy()
        raise SettingsError("CLOSURE_APPROVAL_POLICY is missing: name the file that says who may approve.")
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        policy = ApprovalPolicy.model_validate(document)
    except OSError as error:
        raise SettingsError(f"CLOSURE_APPROVAL_POLICY can't be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise SettingsError("CLOSURE_APPROVAL_POLICY is not valid YAML.") from None
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the file"
        raise SettingsError(f"CLOSURE_APPROVAL_POLICY: {where}: {fault['msg'].removeprefix('Value error, ')}.") from None
    if policy.groups is None:
        raise SettingsError("CLOSURE_APPROVAL_POLICY: groups: name the people who may approve.")
    return policy
