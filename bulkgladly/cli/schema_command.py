"""`schema show`: the columns and types of what we read."""

from typing import Annotated, Any

import typer

from bulkgladly.cli import flags

__all__ = ("show",)

KINDS = {"text": "text", "flag": "true or false", "choice": "a word in capitals"}


def show(resource: Annotated[str, typer.Argument(help="The resource: customers.")], json: flags.Json = False) -> None:
    """Show which columns the rows of a resource may have, flat and nested."""
    from bulkgladly.resources.table import resource as find

    spec = find(resource)
    rows = list(_rows(spec.columns))
    if json:
        import orjson

        listed = [{"column": column, "nested": nested, "holds": holds} for column, nested, holds in rows]
        typer.echo(orjson.dumps({"resource": spec.name, "columns": listed}, option=orjson.OPT_INDENT_2).decode())
        return
    typer.echo(f"{spec.name}: modes {', '.join(mode.value for mode in spec.procedures)}")
    typer.echo(f"{'column':<28} {'in nested JSON':<32} holds")
    for column, nested, holds in rows:
        typer.echo(f"{column:<28} {nested:<32} {holds}")


def _rows(plan: Any) -> Any:
    for name in plan.scalars:
        yield name, name, "text"
    for item in plan.lists:
        yield f"{item.prefix}:1", f"{item.field}[0].{item.value}", "text; further ones as :2, :3, ..."
        for part, kind in item.parts.items():
            yield f"{item.prefix}:1:{part}", f"{item.field}[0].{part}", KINDS[kind]
    if plan.open_map:
        yield f"{plan.open_prefix}:KEY", f"{plan.open_map}.KEY", "text; any JSON value in nested form"
    for name in plan.read_only:
        yield name, name, "accepted in a row, never sent"
