"""Reads what a rule does: the `do` of `rules.toml`, a sink or a row of an import. Pure."""

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from bulkgladly.choices import closest
from bulkgladly.errors import UsageError
from bulkgladly.files.columns import unknown_columns
from bulkgladly.gladly.fields import Field, Kind
from bulkgladly.gladly.spec import ImportSpec
from bulkgladly.gladly.table import import_spec
from bulkgladly.imports.single_rows import KEY_COLUMN, draft_of_row
from bulkgladly.mapping.tables import Table
from bulkgladly.records import Problem
from bulkgladly.times import to_milliseconds
from bulkgladly.workflows.event_expressions import BadExpression, Template
from bulkgladly.workflows.event_rule import FillableRow, RuleAction

__all__ = ("SinkCheck", "looks_like_a_sink", "read_actions")

SinkCheck = Callable[[str], object]
"""Raises `UsageError` for a text that does not name a sink."""
_ROW_KNOWN = ("event", "object", "customer", "rule")
_LOCAL = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/|$)")


def looks_like_a_sink(text: str) -> None:
    """Check the form of a sink: `-`, `exec:COMMAND` or an https address.

    Raises:
        UsageError: It has another form.
    """
    if text == "-" or text.startswith("https://") or _LOCAL.match(text):
        return
    if text.startswith("exec:") and text.removeprefix("exec:").strip():
        return
    raise UsageError(f"{text!r} is not a sink; use -, exec:COMMAND or an address that begins with https://")


def read_actions(rule: Table, *, contacts_people: str, check_sink: SinkCheck) -> tuple[RuleAction, ...]:
    """Return what a rule does.

    Raises:
        UsageError: `do` is missing or has a mistake.
    """
    given = rule.value("do")
    listed = given if isinstance(given, list) else [given]
    if not listed or not all(isinstance(each, dict) for each in listed):
        what = "is missing; say what the rule does" if given is None else "must be a table or a list of tables"
        rule.fail("do", what + ', such as do = { to = "exec:./notify" }')
    actions = tuple(
        _action(Table(rule.file, f"{rule.name}, do{f' {number}' if len(listed) > 1 else ''}", each), number, check_sink)
        for number, each in enumerate(listed, 1)
    )
    _guard_people(rule, actions, contacts_people)
    return actions


def _action(table: Table, number: int, check_sink: SinkCheck) -> RuleAction:
    to, name = table.text("to"), table.text("import")
    if (to is None) == (name is None):
        table.fail("to", 'or import is needed, and only one: to = "exec:..." passes the event on, import sends a row')
    if to is not None:
        try:
            check_sink(to)
        except UsageError as error:
            table.fail("to", str(error))
        table.finish()
        return RuleAction(number, to=to)
    spec = _spec(table, str(name))
    row = table.table("row")
    if row is None:
        table.fail("row", f'is missing; write the columns of {spec.name}, such as row = {{ body = "..." }}')
    table.finish()
    return RuleAction(number, spec=spec, row=_row(row, spec))


def _spec(table: Table, name: str) -> ImportSpec:
    try:
        spec = import_spec(name.strip().replace(" ", "-"))
        spec.mode(None)
    except UsageError as error:
        table.fail("import", str(error))
    return spec


# --- rows ---


def _row(table: Table, spec: ImportSpec) -> FillableRow:
    needs: set[str] = set()
    values = {name: _value(table, name, value, needs) for name, value in table.items()}
    for name in unknown_columns(values, spec.columns, extra_known=(KEY_COLUMN,)):
        meant = closest(name, [*spec.columns.scalars, *(each.field for each in spec.columns.lists)])
        hint = f"did you mean {meant}?" if meant else f"`bulkgladly schema show {spec.name}` lists them"
        table.fail(name, f"is not a column of {spec.name}; {hint}")
    _try_out(table, spec, values)
    return FillableRow(values, frozenset(needs) - {"event", "rule"})


def _value(table: Table, name: str, value: Any, needs: set[str]) -> Any:
    if isinstance(value, str):
        try:
            template = Template.of(value, _ROW_KNOWN)
        except BadExpression as error:
            table.fail(name, str(error))
        needs |= template.needs
        return template
    if isinstance(value, dict):
        return {member: _value(table, f"{name}.{member}", each, needs) for member, each in value.items()}
    if isinstance(value, list):
        return [_value(table, name, each, needs) for each in value]
    return table.plain(name)


def _try_out(table: Table, spec: ImportSpec, values: Mapping[str, Any]) -> None:
    """Refuse a row of which nothing could ever be sent: a field is missing, or a constant is wrong."""
    fields = {field.name: field for field in spec.fields}
    constant = {name: value.text for name, value in values.items() if isinstance(value, Template) and value.is_constant}
    made = {name: constant.get(name, _sample(fields.get(name), value)) for name, value in values.items()}
    problem = draft_of_row(spec, made, "sample", host="https://sample.example.org", namespace="rules")
    if isinstance(problem, Problem) and (problem.code == "blank" or problem.attr in constant):
        _refuse_row(table, spec, problem)


def _refuse_row(table: Table, spec: ImportSpec, problem: Problem) -> NoReturn:
    attr = problem.attr or spec.name
    table.fail(attr, f"{problem.detail.removeprefix(f'{attr} ')}; see `bulkgladly schema show {spec.name}`")


def _sample(field: Field | None, value: Any) -> Any:
    """Return a value of the kind that a column takes."""
    if isinstance(value, Mapping):
        return {name: _sample(None, member) for name, member in value.items()}
    if isinstance(value, list):
        return [_sample(None, member) for member in value]
    if not isinstance(value, Template):
        return value
    if field is None:
        return value.text if value.is_constant else "sample"
    later = to_milliseconds(dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
    samples: Mapping[Kind, Any] = {
        Kind.MOMENT: later,
        Kind.CHOICE: field.choices[0] if field.choices else "sample",
        Kind.TEXTS: ["sample"],
        Kind.FLAG: True,
    }
    return samples.get(field.kind, "sample")


# --- what reaches people ---


def _guard_people(rule: Table, actions: tuple[RuleAction, ...], contacts_people: str) -> None:
    """Refuse to send messages to people unless the rule says so."""
    reaching = [action.spec for action in actions if action.spec is not None and action.spec.contacts_people]
    if reaching and not contacts_people:
        rule.fail(
            "contacts_people",
            f"is missing: each row of {reaching[0].name} {reaching[0].contacts_people}, and this cannot be undone; "
            'write contacts_people = "one" to send one for you to check, and "all" afterwards',
        )
    if contacts_people and not reaching:
        rule.fail("contacts_people", "is only for rules that send messages to people; remove it")
