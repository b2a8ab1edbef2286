"""The deployment's approval policy file: who may approve at which gate, and how many it takes at least."""

from __future__ import annotations

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


def parse_policy(text: str) -> ApprovalPolicy:
    """Read the policy file's YAML. Raises SettingsError that names what is wrong."""
    try:
        policy = ApprovalPolicy.model_validate(yaml.safe_load(text))
    except yaml.YAMLError:
        raise SettingsError("CLOSURE_APPROVAL_POLICY is not valid YAML.") from None
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the file"
        raise SettingsError(
            f"CLOSURE_APPROVAL_POLICY: {where}: {fault['msg'].removeprefix('Value error, ')}."
        ) from None
    if policy.groups is None:
        raise SettingsError("CLOSURE_APPROVAL_POLICY: groups: name the people who may approve.")
    return policy
