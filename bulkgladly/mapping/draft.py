"""Drafts a mapping from the column names and samples of some files, for a person to review."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bulkgladly.commands import next_command
from bulkgladly.mapping.column_shapes import Profile, profiles, shown
from bulkgladly.mapping.mapping import VERSION
from bulkgladly.mapping.row_values import Fields
from bulkgladly.shown import escaped_toml

__all__ = ("Target", "draft_mapping")

_NOT_ALNUM = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Target:
    """A field of an object that a mapping can fill. A `*` in `name` stands for a number; `most` are characters.

    `is_time`: it takes a moment in UTC. `is_identity`: it says who or what is meant, so it is never cut.
    `in_pieces`: a long text can become several records. `is_optional`: a record is worth sending without it.
    """

    name: str
    most: int | None = None
    choices: tuple[str, ...] = ()
    is_required: bool = False
    is_time: bool = False
    is_identity: bool = False
    in_pieces: bool = False
    is_optional: bool = False
    help: str = ""


def _normal(name: str) -> str:
    """Return a name in the form in which names are compared: only lower-case letters and digits."""
    return _NOT_ALNUM.sub("", name.lower())


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ALIASES: Mapping[str, frozenset[str]] = {
    "name": _words("fullname displayname customername contactname customer contact person username"),
    "address": _words("streetaddress street mailingaddress fulladdress postaladdress billingaddress"),
    "image": _words("avatar avatarurl photo photourl picture imageurl"),
    "email:*": _words(
        "email emailaddress mail emails workemail primaryemail contactemail customeremail useremail"
        " emailadresse courriel adressemail"
    ),
    "phone:*": _words(
        "phone phonenumber telephone tel mobile mobilephone mobilenumber cell cellphone homephone workphone"
        " telefon telefonnummer handy mobil mobiltelefon portable"
    ),
    "customerKey": _words("requesterid customerid userid contactid submitterid authorid externalcustomerid"),
    "customerEmail": _words("email requesteremail customeremail contactemail useremail requester"),
    "customerMobile": _words("mobile mobilephone cellphone requesterphone customerphone"),
    "title": _words("subject summary headline"),
    "body": _words("htmlbody description comment message text content plainbody details note"),
    "comment": _words("body htmlbody plainbody message text note"),
    "occurredAt": _words("createdat created createdon date datetime timestamp sentat time opened openedat"),
    "activityType": _words("channel type via source"),
    "sourceName": _words("source system origin"),
    "linkUrl": _words("url link permalink"),
    "dueAt": _words("due duedate deadline dueon"),
    "inbox": _words("group groupname team queue department"),
    "agent": _words("assignee assigneeemail assignedto owner agentemail"),
    "status": _words("state ticketstatus"),
    "path": _words("category categorypath topic tag"),
    "parent": _words("parentname parentcategory"),
    "parentKey": _words("parentid"),
    "description": _words("details summary"),
}
"""Column names of other systems, normalised, by the field that they most likely mean."""

_KEY_NAMES = ("id", "externalid", "uuid", "guid", "key", "customerid", "contactid", "userid", "ticketid")
"""Columns that probably identify a row, the best first."""

_KEY_ENDS = ("id", "no", "nr", "number", "key")
"""Endings of other column names that may identify a row."""


_FIRST = ("firstname", "givenname", "forename", "vorname", "prenom")
_LAST = ("lastname", "surname", "familyname", "nachname", "familienname", "nomdefamille")
_MOSTLY = 0.5
"""A column in which more values than this share are email addresses holds them, whatever its name."""
_MAKES_SPLIT = 1000
"""A text that is too long is split or rejected if its field takes at least this many characters, else cut."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One entry of `[fields]`: its field, the options of its table, and a comment."""

    target: str
    options: tuple[tuple[str, object], ...]
    note: str

    def text(self) -> str:
        named = dict(self.options)
        value = _toml(named["from"]) if set(named) == {"from"} else _inline(self.options)
        return f"{_key(self.target)} = {value}  # {self.note}"


def draft_mapping(
    rows: Sequence[Fields],
    targets: Sequence[Target],
    *,
    to: str,
    files: Sequence[str],
    unread: Sequence[str] = (),
    reading: Sequence[str] = (),
    show_values: bool = False,
) -> str:
    """Return a mapping file with everything that can be guessed from names and samples, and a comment on each guess.

    The comments show the shape of values, and the values themselves only with `show_values`. Unused columns are
    listed at the end, commented out. `unread` says what is wrong with the rows that could not be read, and `reading`
    are the flags that the files need.
    """
    found = profiles(rows)
    try_it = next_command("map", "check", *map(Path, files), "--map", "THIS_FILE", *reading)
    key = _key_column(found)
    lines, used = _guess(found, targets, key is not None, show_values=show_values)
    out = [
        f"# Turns {', '.join(files)} into {to}. Drafted from {_rows(len(rows))}; review every line, then run",
        f"# {try_it}",
        *_unread_note(unread),
        f"version = {VERSION}",
        f"to = {_toml(to)}",
    ]
    if key is not None:
        out.append(f"key = {_reference(key)}  # {key.note(show_values=show_values)}; all different")
    else:
        out.append(_key_hint(found, show_values=show_values))
    out += [text for profile in found if profile.is_list_of_objects for text in _each_hint(profile)]
    if any(("on_error", "drop") in line.options for line in lines):
        out += ["", '# on_error = "drop" sends a record without a value that is not valid, and lists the value in']
        out += ["# warnings.csv; without it, such a value rejects the whole record."]
    out += ["", "[fields]", *(line.text() for line in lines)]
    filled = {line.target.replace("1", "*") for line in lines} | {line.target for line in lines}
    out += [f"# {target.name} is required: {target.help}" for target in _missing(targets, filled)]
    left = [profile for profile in found if profile.names not in used and profile is not key]
    out += _unused(left, targets, show_values=show_values)
    return "".join(f"{escaped_toml(line)}\n" for line in out)


def _guess(
    found: Sequence[Profile], targets: Sequence[Target], has_key: bool, *, show_values: bool
) -> tuple[list[_Line], set[tuple[str, ...]]]:
    lines: list[_Line] = []
    used: set[tuple[str, ...]] = set()
    numbers: dict[str, int] = {}
    is_split = not has_key  # one field at most can be split, and only if rows have a key
    if joined := _joined_name(found, targets, show_values=show_values):
        lines.append(joined[0])
        used |= joined[1]
    for target in targets:
        candidates = [profile for profile in found if profile.names not in used and _fits(profile, target)]
        if any(line.target == target.name for line in lines):
            continue
        for profile in candidates if "*" in target.name else _best(candidates, target):
            numbers[target.name] = numbers.get(target.name, 0) + 1
            options = [_source_option(profile), *_operations(profile, target)]
            if target.most is not None and not target.is_identity:
                options += _length_options(target, targets, is_split=is_split)
                is_split = is_split or (target.in_pieces and target.most >= _MAKES_SPLIT)
            options += _error_choice(target, options)
            name = target.name.replace("*", str(numbers[target.name]))
            lines.append(_Line(name, tuple(options), _note(profile, target, show_values=show_values)))
            used.add(profile.names)
    return lines, used


def _fits(profile: Profile, target: Target) -> bool:
    if profile.is_list_of_objects:
        return False
    last, whole = _normal(profile.names[-1]), _normal("".join(profile.names))
    names = {last.rstrip("0123456789") if "*" in target.name else last, whole}
    is_named = bool(names & ({_normal(target.name.partition(":")[0])} | _ALIASES.get(target.name, frozenset())))
    if not profile.filled:
        return is_named and "*" in target.name
    if target.name == "email:*":
        return profile.emails > _MOSTLY or (is_named and profile.emails > 0)
    if target.name == "phone:*":
        return is_named and profile.phones > 0
    if target.name == "customerEmail":
        return is_named and profile.emails > 0
    if target.name == "id":
        return False  # an id in Gladly; what other systems call id is a key
    return is_named and (not target.is_time or profile.date_form is not None)


def _best(candidates: Sequence[Profile], target: Target) -> Iterable[Profile]:
    """Return the one column whose name is most like the field's, or nothing."""
    wanted = _normal(target.name)
    ranked = sorted(candidates, key=lambda one: (len(one.names), _normal(one.names[-1]) != wanted, -one.filled))
    return ranked[:1]


def _joined_name(
    found: Sequence[Profile], targets: Sequence[Target], *, show_values: bool
) -> tuple[_Line, set[tuple[str, ...]]] | None:
    target = next((target for target in targets if target.name == "name"), None)
    if target is None or any(_normal(p.names[-1]) == "name" for p in found):
        return None
    first = next((profile for profile in found if _normal(profile.names[-1]) in _FIRST), None)
    last = next((profile for profile in found if _normal(profile.names[-1]) in _LAST), None)
    if first is None or last is None:
        return None
    parts = [profile.names[0] if len(profile.names) == 1 else {"path": profile.path} for profile in (first, last)]
    line = _Line("name", (("join", parts), *_error_choice(target)), first.note(show_values=show_values))
    return line, {first.names, last.names}


def _operations(profile: Profile, target: Target) -> Iterator[tuple[str, object]]:
    if target.is_time and (form := profile.date_form):
        yield "date", form.removesuffix(" local")
        if form != "iso" and not form.startswith("epoch"):
            yield "zone", "UTC"
    elif profile.looks_like_html and target.most is not None and target.most >= _MAKES_SPLIT:
        yield "html", "clean"
    elif target.choices:
        known = {text.strip() for text in profile.texts}
        same = {text: choice for text in known for choice in target.choices if text.lower() == choice.lower()}
        if same and set(same) != set(same.values()):
            yield "case", "upper"


def _length_options(target: Target, targets: Sequence[Target], *, is_split: bool) -> Iterator[tuple[str, object]]:
    yield "max", target.most
    if target.most is None or target.most < _MAKES_SPLIT or (target.in_pieces and is_split):
        yield "too_long", "cut"
        return
    if not target.in_pieces:
        yield "too_long", "reject"
        return
    yield "too_long", "split"
    if any(one.name == "title" for one in targets):
        yield "number_in", "title"


def _error_choice(target: Target, options: Iterable[tuple[str, object]] = ()) -> list[tuple[str, object]]:
    """Return the option that keeps a record without a value that is not valid; never for a text that may be long."""
    is_kept = target.is_optional and ("too_long", "reject") not in options
    return [("on_error", "drop")] if is_kept else []


def _note(profile: Profile, target: Target, *, show_values: bool) -> str:
    note = profile.note(show_values=show_values)
    if target.choices:
        words = ", ".join(target.choices)
        note += f'; must become {words}: translate other words with values = {{ theirs = "{target.choices[0]}" }}'
    if target.is_time and profile.date_form not in (None, "iso", "epoch", "epoch_ms"):
        note += "; set zone to the time zone of these times"
    if target.is_time and str(profile.date_form).startswith("%m/"):
        note += ", and check whether the month comes first"
    return note


def _key_column(found: Sequence[Profile]) -> Profile | None:
    for name in _KEY_NAMES:
        for profile in found:
            if len(profile.names) == 1 and _normal(profile.names[0]) == name and profile.is_unique:
                return profile
    likely = (profile for profile in found if profile.is_unique and _normal(profile.names[-1]).endswith(_KEY_ENDS))
    return next((profile for profile in likely if not profile.emails and not profile.phones), None)


def _key_hint(found: Sequence[Profile], *, show_values: bool) -> str:
    """Return a comment that names the column that most likely identifies a row, though its values are not unique."""
    named = [one for one in found if one.distinct > 1 and not one.is_list_of_objects and _is_key_name(one)]
    likely = max(named, key=lambda one: one.distinct, default=None)
    if likely is None:
        return '# key = "id"  # the column that identifies a row; no column of the samples is unique'
    note = likely.note(show_values=show_values)
    return f"# key = {_reference(likely)}  # {note}; {likely.distinct} different: uncomment it if it identifies a row"


def _is_key_name(profile: Profile) -> bool:
    name = _normal(profile.names[-1])
    return len(profile.names) == 1 and name.endswith((*_KEY_NAMES, *_KEY_ENDS)) and not profile.emails


def _unread_note(unread: Sequence[str]) -> list[str]:
    return [f"# {_rows(len(unread))} more cannot be read; the first: {unread[0]}"] if unread else []


def _rows(number: int) -> str:
    return f"{number} row{'' if number == 1 else 's'}"


def _each_hint(profile: Profile) -> list[str]:
    one = profile.names[-1].rstrip("s") or "item"
    name = one if one.isidentifier() else "item"
    most = max(len(value) for value in profile.values)
    elements = [element for value in profile.values for element in value]
    parts = ", ".join(dict.fromkeys(shown(key) for element in elements[:50] for key in element))
    return [
        "",
        f"# {profile.path} is a list (up to {most}). To make a record from each element instead of from the row:",
        "# [each]",
        f"# of = {_toml(profile.path)}",
        f"# as = {_toml(name)}  # its parts, such as {{ path = {_toml(name + '.id')} }}: {parts}",
        f"# key = {{ path = {_toml(name + '.id')} }}",
    ]


def _missing(targets: Sequence[Target], filled: set[str]) -> list[Target]:
    return [target for target in targets if target.is_required and target.name not in filled]


def _unused(left: Sequence[Profile], targets: Sequence[Target], *, show_values: bool) -> Iterator[str]:
    if not left:
        return
    found = next((target for target in targets if target.name.startswith("customAttribute:")), None)
    attribute = None if found is None else found.name
    choice = () if found is None else _error_choice(found)
    yield ""
    yield "# Not used." + (" Uncomment a line to keep that column as a custom attribute." if attribute else "")
    for profile in left:
        note = profile.note(show_values=show_values)
        if attribute is None or profile.is_list_of_objects:
            yield f"# {profile.path}  # {note}"
            continue
        target = attribute.replace("*", "_".join(profile.names).replace(":", "_"))
        yield f"# {_Line(target, (_source_option(profile), *choice), note).text()}"


def _source_option(profile: Profile) -> tuple[str, object]:
    return ("from", profile.names[0]) if len(profile.names) == 1 else ("path", profile.path)


def _reference(profile: Profile) -> str:
    return _toml(profile.names[0]) if len(profile.names) == 1 else _inline((("path", profile.path),))


def _inline(options: Iterable[tuple[str, object]]) -> str:
    return "{ " + ", ".join(f"{_key(name)} = {_toml(value)}" for name, value in options) + " }"


def _key(name: str) -> str:
    return name if name and all(char.isascii() and (char.isalnum() or char in "_-") for char in name) else _toml(name)


def _toml(value: object) -> str:
    """Return a value as TOML. Texts are written as in JSON; `escaped_toml` later fixes what TOML writes otherwise."""
    if isinstance(value, dict):
        return _inline(value.items())
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)
