"""Operators beyond mutmut's own: statements are dropped, conditions forced, answers withheld; prose is left alone."""

from __future__ import annotations

from collections.abc import Iterable

import libcst as cst
from mutmut.mutation import mutators

KEPT = ("None", "True", "False")


def install() -> None:
    """Add to mutmut's operators; its own for strings keeps one change of three, and none of sentences."""
    mutators.mutation_operators[:] = [
        (kind, operator) for kind, operator in mutators.mutation_operators if operator is not mutators.operator_string
    ] + [
        (cst.SimpleString, _another_string),
        (cst.SimpleStatementLine, _drop),
        (cst.Return, _withhold),
        (cst.If, _force),
        (cst.While, _never),
        (cst.CompIf, _force),
    ]


def undecorated(source: str) -> str:
    """The same module with `@decorator` written as `name = decorator(name)`: mutmut leaves decorated functions out."""
    return cst.parse_module(source).visit(_Undecorate()).code


class _Undecorate(cst.CSTTransformer):
    def leave_FunctionDef(  # noqa: N802 - libcst's name
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef | cst.FlattenSentinel[cst.BaseStatement]:
        name = updated_node.name
        wrapped: cst.BaseExpression = name
        for decorator in reversed(updated_node.decorators):
            wrapped = cst.Call(decorator.decorator, [cst.Arg(wrapped)])
        if not updated_node.decorators or wrapped.func.value in ("classmethod", "staticmethod"):
            return updated_node
        after = cst.SimpleStatementLine([cst.Assign([cst.AssignTarget(name)], wrapped)])
        return cst.FlattenSentinel([updated_node.with_changes(decorators=[]), after])


def _another_string(node: cst.SimpleString) -> Iterable[cst.SimpleString]:
    if " " not in node.value and not node.value.endswith('"""'):
        yield node.with_changes(value=f"{node.prefix}{node.quote}XX{node.raw_value}{node.quote}")


def _drop(node: cst.SimpleStatementLine) -> Iterable[cst.SimpleStatementLine]:
    first = node.body[0]
    if isinstance(first, cst.Raise) or (isinstance(first, cst.Expr) and not isinstance(first.value, cst.SimpleString)):
        yield node.with_changes(body=[cst.Pass()])


def _withhold(node: cst.Return) -> Iterable[cst.Return]:
    # True and False have the other word for a mutant already.
    if node.value is not None and not (isinstance(node.value, cst.Name) and node.value.value in KEPT):
        yield node.with_changes(value=cst.Name("None"), whitespace_after_return=cst.SimpleWhitespace(" "))


def _force[Node: (cst.If, cst.CompIf)](node: Node) -> Iterable[Node]:
    for word in ("True", "False"):
        yield node.with_changes(test=cst.Name(word), whitespace_before_test=cst.SimpleWhitespace(" "))


def _never(node: cst.While) -> Iterable[cst.While]:
    yield node.with_changes(test=cst.Name("False"), whitespace_after_while=cst.SimpleWhitespace(" "))
