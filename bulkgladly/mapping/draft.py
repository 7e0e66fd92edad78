"""Drafts a mapping from the column names and samples of some files, for a person to review."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bulkgladly.commands import next_command
from bulkgladly.mapping.column_profiles import Profile, profiles
from bulkgladly.mapping.draft_attributes import attribute_lines
from bulkgladly.mapping.draft_contacts import contact_lines
from bulkgladly.mapping.draft_fields import DraftSamples, field_lines
from bulkgladly.mapping.draft_keys import key_column, key_hint, key_note, likely_key
from bulkgladly.mapping.draft_lines import WIDTH, DraftLine, column_reference, source_option, toml
from bulkgladly.mapping.draft_lists import (
    RecordList,
    could_be_records,
    each_hint,
    each_table,
    id_list_lines,
    record_list,
    rows_of_elements,
)
from bulkgladly.mapping.draft_targets import Target, is_named, normal_name
from bulkgladly.mapping.mapping import VERSION
from bulkgladly.mapping.row_values import Fields
from bulkgladly.shown import escaped_toml

__all__ = ("DraftFiles", "draft_mapping")


@dataclass(frozen=True, slots=True)
class DraftFiles:
    """The files that a draft is for, and what reading them has shown.

    `unread` says what is wrong with the rows that could not be read. `flags` are those with which the files have to
    be checked and imported, and `notes` are comments for the head of the draft, such as where a flag comes from.
    """

    names: Sequence[str]
    unread: Sequence[str] = ()
    flags: Sequence[str] = ()
    notes: Sequence[str] = ()


def draft_mapping(
    rows: Sequence[Fields],
    targets: Sequence[Target],
    *,
    to: str,
    files: DraftFiles,
    month_first: bool = True,
    show_values: bool = False,
) -> str:
    """Return a mapping file with everything that can be guessed from names and samples, and a comment on each guess.

    The comments show the shape of values, and the values themselves only with `show_values`; but the frequent values
    of a column that has only a few are listed, since a table needs them. Unused columns are listed at the end,
    commented out. `month_first` decides about dates that can be read in two ways.
    """
    whole = profiles(rows)
    # Each record needs a key, which is made of that of its row.
    each = record_list(rows, targets) if key_column(whole) is not None else None
    found = whole if each is None else profiles(rows_of_elements(rows, each))
    samples = DraftSamples(
        found,
        targets,
        to,
        show_values=show_values,
        element=None if each is None else each.element,
        month_first=month_first,
    )
    key = _key(whole, samples)
    listed = id_list_lines(found, to)
    lines = _lines(samples, key) if listed is None else listed
    if listed is not None:
        key = None
        samples.use(*found)
    out = [*_head(files, to, len(rows)), *_key_lines(whole, key, samples, is_id_list=listed is not None)]
    out += _lists(samples, each)
    if any(("on_error", "drop") in line.options for line in lines):
        out += [
            "",
            '# on_error = "drop" leaves out a value that is not valid, and lists it in warnings.csv; the rest of',
        ]
        out += ["# the record is sent. Without it, such a value rejects the whole record."]
    out += ["", "[fields]", *(text for line in lines for text in line.lines()), *_missing(targets, lines)]
    out += _attributes(samples, key or likely_key(whole))
    return "".join(f"{escaped_toml(line)}\n" for line in out)


def _lines(samples: DraftSamples, key: Profile | None) -> list[DraftLine]:
    if key is not None and not _is_field_too(key, samples):
        samples.use(key)
    contacts = contact_lines(samples)
    lines = contacts + field_lines(samples, has_key=key is not None, taken=[line.target for line in contacts])
    lines += _constants(samples, {line.target for line in lines})
    order = {target.name: number for number, target in enumerate(samples.targets)}
    return sorted(lines, key=lambda line: order.get(line.target, order.get(_starred(line.target), len(order))))


def _starred(target: str) -> str:
    return f"{target.partition(':')[0]}:*"


def _key(whole: Sequence[Profile], samples: DraftSamples) -> Profile | None:
    """Return the column that identifies a row; for objects with unique names, their name if nothing else does."""
    found = key_column(whole)
    unique = next((target for target in samples.targets if target.is_unique), None)
    if found is not None or unique is None:
        return found
    return next(
        (one for one in whole if one.is_column and is_named({normal_name(one.label)}, unique, samples.to)), None
    )


def _is_field_too(key: Profile, samples: DraftSamples) -> bool:
    """Tell whether a key is the name of the object as well, or an id that each row needs, and so fills a field."""
    both = [one for one in samples.targets if one.is_unique or (one.is_required and one.is_identity)]
    return any(is_named({normal_name(key.label)}, target, samples.to) for target in both)


def _constants(samples: DraftSamples, filled: set[str]) -> Iterator[DraftLine]:
    """Yield what follows from the other fields: a content with a title is a public one."""
    if samples.to == "answer-contents" and "type" not in filled and (kind := samples.target("type")) is not None:
        value = "public" if "title" in filled else "email" if "subject" in filled else None
        if value in kind.choices:
            yield DraftLine("type", (("constant", value),), f"all rows; one of {', '.join(kind.choices)}")


def _head(files: DraftFiles, to: str, rows: int) -> list[str]:
    try_it = next_command("check", to, *map(Path, files.names), "--map", "THIS_FILE", *files.flags)
    out = [
        f"# Turns {', '.join(files.names)} into {to}. Drafted from {_rows(rows)}; review every line, then run",
        f"# {try_it}",
    ]
    if files.unread:
        of, share = rows + len(files.unread), len(files.unread) / (rows + len(files.unread))
        out.append(f"# {len(files.unread):,} of {_rows(of)} ({share:.1%}) cannot be read:")
        out += [f"# - {times:,}: {detail}" for detail, times in Counter(files.unread).most_common(3)]
    return [*out, *(f"# {note}" for note in files.notes), f"version = {VERSION}", f"to = {toml(to)}"]


def _key_lines(
    whole: Sequence[Profile], key: Profile | None, samples: DraftSamples, *, is_id_list: bool
) -> Iterator[str]:
    if key is not None:
        text = f"key = {toml(column_reference(key))}"
        is_name = any(one.is_unique for one in samples.targets) and _is_field_too(key, samples)
        note = f"{samples.to} have unique names" if is_name else key_note(key, show_values=samples.show_values)
        yield from [f"# {note}", text] if len(text) + len(note) > WIDTH else [f"{text}  # {note}"]
    elif not is_id_list:
        yield key_hint(likely_key(whole), show_values=samples.show_values)


def _lists(samples: DraftSamples, each: RecordList | None) -> list[str]:
    """Return the table for the list whose elements are the records, or hints how others could be."""
    if each is not None:
        return each_table(each)
    # A list whose members fill a field is not a list of records.
    taken = {one.names for one in samples.found if one.inside and one.place in samples.used}
    lists = [one for one in samples.left if one.is_list_of_objects and one.names not in taken]
    return [text for one in lists if could_be_records(one) for text in each_hint(one)]


def _missing(targets: Sequence[Target], lines: Iterable[DraftLine]) -> Iterator[str]:
    filled = {name for line in lines for name in (line.target, _starred(line.target))}
    for target in targets:
        if target.is_required and target.name not in filled:
            yield f"# {target.name} is required: {target.what}"


def _attributes(samples: DraftSamples, key: Profile | None) -> Iterator[str]:
    """Yield the columns that are left: as attributes if the object has them, and the rest as comments."""
    if key is not None:
        samples.use(key)
    if not (left := samples.left):
        return
    target = next((one for one in samples.targets if one.name.startswith("customAttribute:")), None)
    made = [] if target is None else [(line, is_used) for line, is_used in attribute_lines(samples, target)]
    # A table was made by a person, column by column; the JSON of another system has much that nobody needs here.
    is_table = all(one.is_column and not one.is_list_of_objects for one in samples.found)
    kept = [line for line, is_used in made if is_table and is_used]
    if kept:
        yield ""
        yield "# Columns without a field in Gladly, kept as custom attributes. Remove those that nobody needs."
        yield from (text for line in kept for text in line.lines())
    others = [line for line, is_used in made if not (is_table and is_used)]
    shown = [one for one in left if not one.inside or one.is_one_of_a_list]
    rest = [one for one in shown if target is None or one.is_list_of_objects]
    if others or rest:
        yield ""
        yield "# Not used." + (" Uncomment a line to keep that column as a custom attribute." if others else "")
    yield from (f"# {line.entry()}  # {line.note}" for line in others)
    for one in rest:
        yield f"# {source_option(one, is_single=True)[1]}  # {samples.note(one)}"


def _rows(number: int) -> str:
    return f"{number:,} row{'' if number == 1 else 's'}"
