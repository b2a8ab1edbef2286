"""The deployment's approval policy file: who may approve at which gate, and how many it takes at least."""

from __future__ import annotations

import re
from collections.abc import Hashable
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from tenantclosure.errors import SettingsError
from tenantclosure.model.request import Name, Upn
from tenantclosure.names import Gate


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, strict=True)


class GateRule(_Strict):
    """Least conditions of one gate. Answer-by and execute-by are real days, never shortened in a rehearsal; reminders
    and escalation follow `CLOSURE_DAY_SECONDS`.
    """

    groups: dict[Name, int] = Field(default_factory=dict, description="Least quorum per group.")
    distinct: int = Field(default=2, ge=1, description="Least number of different people over all groups.")
    answer_by_days: float = Field(default=7, alias="answerByDays", gt=0, le=365)
    execute_by_days: float = Field(default=3, alias="executeByDays", gt=0, le=365)
    remind_after_days: list[Annotated[float, Field(gt=0, le=3650)]] = Field(
        default_factory=lambda: [1.0, 3.0], alias="remindAfterDays", max_length=10
    )
    escalate_after_days: float = Field(default=4, alias="escalateAfterDays", gt=0, le=3650)
    decide_in_teams: bool = Field(
        default=False, alias="decideInTeams", description="Whether a Teams workflow may decide; only at go-on."
    )


class Over(_Strict):
    """What a closure must not exceed without more groups; every member given is a limit of its own."""

    objects: int | None = Field(default=None, ge=0, description="Items in the plan.")
    share: float | None = Field(default=None, ge=0, le=1, description="Planned users as a share of all users.")
    tenants: int | None = Field(default=None, ge=0, description="Closures that are live at once, this one included.")

    @model_validator(mode="after")
    def _something(self) -> Over:
        if self.objects is None and self.share is None and self.tenants is None:
            raise ValueError("name objects, share or tenants")
        return self


class Limit(_Strict):
    """Above `over`, these groups must agree as well, with these quorums."""

    over: Over
    groups: dict[Name, Annotated[int, Field(ge=1)]] = Field(min_length=1)

    def beyond(self, *, objects: int, share: float, tenants: int) -> Limit | None:
        """This limit with only those members of `over` that are exceeded; None when none is."""
        counts = {"objects": objects, "share": share, "tenants": tenants}
        members = self.over.model_dump(exclude_none=True)
        broken = {name: most for name, most in members.items() if counts[name] > most}
        return self.model_copy(update={"over": Over(**broken)}) if broken else None

    @property
    def sentences(self) -> list[str]:
        """The members of `over` in words, such as "more than 10000 items"."""
        over, words = self.over, []
        if over.objects is not None:
            words.append(f"more than {over.objects} items")
        if over.share is not None:
            words.append(f"more than {over.share:.4g} of all users")
        if over.tenants is not None:
            words.append(f"more than {over.tenants} closures at once")
        return words


def _clock_time(value: object) -> object:
    """Without quotes YAML reads 22:00 as the number 1320."""
    if not isinstance(value, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError('write a time of day in quotes, such as "22:00"')
    return value


ClockTime = Annotated[str, BeforeValidator(_clock_time)]


class DeletionWindow(_Strict):
    """When the tenant may be written to. `to` not after `from` means the next day; days name when it opens."""

    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(min_length=1, max_length=7)
    opens: ClockTime = Field(alias="from")
    closes: ClockTime = Field(alias="to")
    time_zone: str = Field(alias="timeZone", description="IANA name, for example Europe/Berlin.")

    @field_validator("time_zone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value} is no time zone; use an IANA name such as Europe/Berlin") from None
        return value

    @model_validator(mode="after")
    def _closes_at_all(self) -> DeletionWindow:
        if self.opens == self.closes and len(set(self.days)) == len(_DAYS):
            raise ValueError("it never closes: leave the window out")
        return self

    def opening(self, day: date) -> tuple[datetime, datetime] | None:
        """Open and close (UTC) of the window that opens on this local day.

        None when the day is not listed, or when the clocks skip the whole window that day.
        """
        if _DAYS[day.weekday()] not in self.days:
            return None
        last = day + timedelta(days=1) if self.closes <= self.opens else day
        opens, closes = self._reached(day, self.opens), self._reached(last, self.closes)
        return (opens, closes) if opens < closes else None

    def longest_closed(self) -> timedelta:
        """The longest time from a close to the next opening, looked for in ten years of the zone's clock changes."""
        longest, closed = timedelta(0), None
        for number in range(_TEN_YEARS):
            opening = self.opening(_FIRST_DAY + timedelta(days=number))
            if opening is not None:
                longest = max(longest, opening[0] - closed) if closed is not None else longest
                closed = opening[1]
        return longest

    def _reached(self, day: date, clock: str) -> datetime:
        """The first moment (UTC) at which the zone's clocks show this time of day, or have jumped over it."""
        zone, wall = ZoneInfo(self.time_zone), datetime.combine(day, time.fromisoformat(clock))
        moment = wall.replace(tzinfo=zone).astimezone(UTC)  # of a time that comes twice, the first one
        if _shown(moment, zone) == wall:
            return moment
        moment = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)  # a time the clocks skip: this is before the jump
        while _shown(moment, zone) < wall:
            moment += timedelta(minutes=1)
        return moment


def _shown(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIRST_DAY, _TEN_YEARS = date(2026, 1, 1), 3653
"""Clock changes repeat from year to year; ten years show every weekday on which a fixed date may fall."""


class ApprovalPolicy(BaseModel):
    """Groups and their people, and a rule per gate; a request may only tighten it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    groups: dict[Name, list[Upn]] | None = Field(
        default=None, description="People who may approve, by group. None (rehearsal only): whoever the request names."
    )
    deputies: dict[Name, list[Upn]] = Field(
        default_factory=dict, description="Who is asked in a group's place when its people don't answer."
    )
    gates: dict[Gate, GateRule] = Field(default_factory=dict)
    limits: list[Limit] = Field(default_factory=list, max_length=20)
    window: DeletionWindow | None = None

    @model_validator(mode="after")
    def _agree(self) -> ApprovalPolicy:
        for gate, rule in self.gates.items():
            for group, quorum in rule.groups.items():
                self._reachable(f"gate {gate}", group, quorum)
            if rule.decide_in_teams and gate != Gate.GO_ON:
                raise ValueError(f"gate {gate} can't be decided in Teams: only go-on may")
        for limit in self.limits:
            for group, quorum in limit.groups.items():
                self._reachable("a limit", group, quorum)
        for group in self.deputies:
            if group not in (self.groups or {}):
                raise ValueError(f"deputies are named for the group {group}, which has no people")
        if self.window is not None:
            self._meets(self.window.longest_closed())
        return self

    def _meets(self, closed: timedelta) -> None:
        """Every gate's approval must live to see the window open, even when it is given just as the window closes; but
        for a rollback, which the window does not hold: it deletes nothing.

        So execute-by days have to be longer than the longest time the window stays closed. What is left of them is how
        much of the opening such an approval may use; one given while the window is open is good until it closes.
        """
        for gate in (gate for gate in Gate if gate != Gate.ROLLBACK):
            days = self.rule(gate).execute_by_days
            if timedelta(days=days) <= closed:
                raise ValueError(
                    f"gates.{gate}.executeByDays is {days:g}, but the window stays closed for up to "
                    f"{closed / timedelta(days=1):.4g} days: allow more days, or open the window more often"
                )

    def _reachable(self, who: str, group: str, quorum: int) -> None:
        people = (self.groups or {}).get(group)
        if people is None:
            raise ValueError(f"{who} asks for the group {group}, which has no people")
        if quorum < 1 or quorum > len(set(people)):
            raise ValueError(f"{who} asks for {quorum} of {group}, which has {len(set(people))} people")

    def rule(self, gate: str) -> GateRule:
        """The gate's rule, or the default one: two different people. A rollback without a rule asks as the plan did."""
        wanted = Gate.PLAN if gate == Gate.ROLLBACK and Gate.ROLLBACK not in self.gates else Gate(gate)
        return self.gates.get(wanted, GateRule())


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice: YAML would keep the last one and drop the other rule without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for name in names:
            if names.count(name) > 1:
                raise SettingsError(f"CLOSURE_APPROVAL_POLICY: {name} stands twice in one place.")
        return super().construct_mapping(node, deep)


def parse_policy(text: str) -> ApprovalPolicy:
    """Read the policy file's YAML. Raises SettingsError that names what is wrong."""
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - it is a SafeLoader
    except SettingsError:
        raise
    except (yaml.YAMLError, RecursionError, ValueError, LookupError, AttributeError, TypeError):
        # PyYAML trips over what a tag promises and its text does not hold, such as `!!int ''`.
        raise SettingsError("CLOSURE_APPROVAL_POLICY is not valid YAML.") from None
    try:
        policy = ApprovalPolicy.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "the file"
        raise SettingsError(
            f"CLOSURE_APPROVAL_POLICY: {where}: {fault['msg'].removeprefix('Value error, ')}."
        ) from None
    if policy.groups is None:
        raise SettingsError("CLOSURE_APPROVAL_POLICY: groups: name the people who may approve.")
    return policy
