"""Reads a Bicep file to a model that tests can ask: what it declares, in which words, and with which remark above it.

Two parsers from the package index stand in for the compiler, which is not to be had there: tree-sitter-bicep tells
whether the syntax holds, pycep-parser what it says. Neither knows Azure's types.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import tree_sitter_bicep
from pycep import BicepParser
from tree_sitter import Language, Node, Parser, Tree

ROOT = Path(__file__).resolve().parents[2]
INFRA = ROOT / "infra"
FILES = sorted(path.relative_to(INFRA).as_posix() for path in INFRA.rglob("*.bicep"))
_SYNTAX = Parser(Language(tree_sitter_bicep.language()))
_MEANING = BicepParser()


@dataclass(frozen=True)
class Resource:
    """One resource, with its loop and condition taken off."""

    symbol: str
    type: str
    existing: bool
    body: Mapping[str, Any]
    remark: str
    """The comment lines right above it."""

    @property
    def properties(self) -> Mapping[str, Any]:
        return self.body.get("properties", {})


@dataclass(frozen=True)
class Template:
    """One Bicep file; made of text, so that a test may also ask about a version that is wrong on purpose."""

    name: str
    text: str

    @cached_property
    def said(self) -> Mapping[str, Any]:
        return dict(_MEANING.parse(text=self.text))

    @cached_property
    def syntax(self) -> Tree:
        return _SYNTAX.parse(self.text.encode())

    @property
    def broken(self) -> list[str]:
        """Pieces that are no Bicep."""
        return [_read(node) for node in _below(self.syntax.root_node) if node.type == "ERROR" or node.is_missing]

    @cached_property
    def resources(self) -> Mapping[str, Resource]:
        found = {}
        for symbol, told in self.said.get("resources", {}).items():
            body, symbol_alone = _bare(told["config"]), symbol.rpartition("__")[2]
            remark = self._remarks.get(symbol_alone, "")
            found[symbol_alone] = Resource(symbol_alone, told["type"], told["existing"], body, remark)
        return found

    def made(self, type_: str) -> list[Resource]:
        """The resources of one type that this file makes."""
        return [each for each in self.resources.values() if each.type == type_ and not each.existing]

    @property
    def parameters(self) -> Mapping[str, Any]:
        return self.said.get("parameters", {})

    @property
    def outputs(self) -> Mapping[str, Any]:
        return self.said.get("outputs", {})

    @property
    def modules(self) -> Mapping[str, Any]:
        """By symbol: path and what is handed over."""
        return {
            symbol: (told["detail"]["path"], _bare(told["config"]).get("params", {}))
            for symbol, told in self.said.get("modules", {}).items()
        }

    def variable(self, name: str) -> Any:
        return self.said["variables"][name]["value"]

    def allowed(self, parameter: str) -> list[Any]:
        """The values that a parameter takes, as @allowed lists them."""
        return _argument(self.parameters[parameter], "allowed") or []

    def described(self, parameter: str) -> str:
        return _argument(self.parameters[parameter], "description") or ""

    @cached_property
    def _remarks(self) -> Mapping[str, str]:
        remarks, lines = {}, []
        for node in self.syntax.root_node.children:
            if node.type == "comment":
                lines.append(_read(node).removeprefix("//").strip())
            elif node.type != "decorators":
                if node.type == "resource_declaration":
                    remarks[_read(node.named_children[0])] = " ".join(lines)
                lines = []
        return remarks


@cache
def template(name: str) -> Template:
    """The file of that name below infra/."""
    return Template(name, (INFRA / name).read_text("utf-8"))


def every() -> list[Template]:
    """All of them."""
    return [template(name) for name in FILES]


def entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, however deep."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key, inner
            yield from entries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from entries(inner)


def words(value: Any) -> str:
    """An expression in one line: `roles.storageBlobDataOwner`, `private ? Disabled : Enabled`, `empty(smtp)`."""
    match value:
        case {"operator": {"type": "property_accessor", "operands": {"operand_1": left, "operand_2": right}}}:
            return f"{words(left)}.{words(right)}"
        case {"operator": {"type": "conditional", "operands": operands}}:
            return " ".join(
                (words(operands["condition"]), "?", words(operands["true_value"]), ":", words(operands["false_value"]))
            )
        case {"operator": {"type": "not", "operands": {"bool_value": negated}}}:
            return f"not {words(negated)}"
        case {"function": {"type": name, "parameters": parameters}}:
            return f"{name}({', '.join(words(each) for each in parameters.values() if each is not None)})"
        case dict():
            return "{" + ", ".join(f"{key}: {words(each)}" for key, each in value.items()) + "}"
        case _:
            return str(value)


def _argument(parameter: Mapping[str, Any], kind: str) -> Any:
    return next((each["argument"] for each in parameter["decorators"] if each["type"] == kind), None)


def _bare(config: Mapping[str, Any]) -> Mapping[str, Any]:
    while "config" in config:
        config = config["config"]
    return config


def _below(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _below(child)


def _read(node: Node) -> str:
    return (node.text or b"").decode()
