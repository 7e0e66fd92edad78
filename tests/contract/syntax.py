"""The syntax of the package, read once in each process of the tests, whichever of them ask.

All of it is half a million nodes: a test asks for those of one kind, and imports are sought among statements alone.
"""

import ast
import gc
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

__all__ = ("imported_in", "nodes_of", "tree_of")

N = TypeVar("N", bound=ast.AST)


@cache
def tree_of(path: Path) -> ast.Module:
    """The code of a module."""
    # With hundreds of thousands of nodes to look after, the collector takes twice as long as the parser.
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    finally:
        gc.enable()


def nodes_of(path: Path, kind: type[N]) -> list[N]:
    """All nodes of one kind in a module, in no order; the kind is one of those that the parser makes."""
    found: list[Any] = _nodes_of(path).get(kind, [])
    return found


@cache
def _nodes_of(path: Path) -> Mapping[type, list[ast.AST]]:
    found: defaultdict[type, list[ast.AST]] = defaultdict(list)
    left: list[ast.AST] = [tree_of(path)]
    while left:
        node = left.pop()
        found[type(node)].append(node)
        for value in node.__dict__.values():
            if isinstance(value, list):
                left += [one for one in value if isinstance(one, ast.AST)]
            elif isinstance(value, ast.AST) and not isinstance(value, ast.expr_context):
                left.append(value)
    return found


def imported_in(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield every import in a module or statement, also in its functions."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node
    for value in node.__dict__.values():
        # Whatever holds statements holds them in a list.
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt | ast.excepthandler | ast.match_case):
            for one in value:
                yield from imported_in(one)
