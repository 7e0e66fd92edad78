"""Which column of some rows identifies a row, by its name and by how its values repeat. Pure."""

import re
from collections import Counter
from collections.abc import Sequence

from bulkgladly.mapping.column_profiles import Profile
from bulkgladly.mapping.draft_lines import column_reference, toml
from bulkgladly.mapping.draft_targets import normal_name
from bulkgladly.source_keys import normal_key

__all__ = ("key_column", "key_hint", "key_note", "likely_key")

_NAMES = ("id", "externalid", "uuid", "guid", "key", "customerid", "contactid", "userid", "ticketid")
"""Columns that probably identify a row, the best first."""
_ENDS = ("id", "no", "nr", "number", "key")
"""Endings of other column names that may identify a row."""
_NOT_KEYS = ("phone", "mobile", "tel", "fax", "street", "house", "parent")
_WORDS = re.compile("[a-z]+")
_FEW, _MANY = 5, 20
_MOSTLY_FILLED, _MOSTLY_DIFFERENT = 0.8, 0.97
"""The shares of rows with a value, and of different values, from which on a few dirty rows do not matter."""


def key_column(found: Sequence[Profile]) -> Profile | None:
    """Return the column that identifies a row: by its name, and because nearly all its values differ."""
    for name in _NAMES:
        for profile in found:
            if profile.is_column and normal_name(profile.label) == name and _is_nearly_unique(profile):
                return profile
    likely = [one for one in found if not one.inside and _is_likely(one) and _is_nearly_unique(one)]
    return next((one for one in likely if not one.emails and not one.phones), None) or next(
        (one for one in likely if one.is_column and not one.emails and one.is_unique), None
    )


def key_note(profile: Profile, *, show_values: bool) -> str:
    """Return a comment about a key: what it looks like, and how many rows have none or one that another row has."""
    empty = profile.rows - profile.filled
    seen = Counter(normal_key(text) for text in profile.texts)
    twice = sum(1 for key, times in seen.items() if key and times > 1)
    told = [profile.note(show_values=show_values)]
    told += [f"{empty:,} of {profile.rows:,} rows {'is' if empty == 1 else 'are'} empty"] if empty else []
    told += (
        [f"{twice:,} value{'' if twice == 1 else 's'} occur{'s' if twice == 1 else ''} more than once"] if twice else []
    )
    return "; ".join(told if empty or twice else [*told, "all different"])


def likely_key(found: Sequence[Profile]) -> Profile | None:
    """Return the column that most likely identifies a row by its name, though its values are not unique."""
    named = [one for one in found if one.distinct > 1 and not one.is_list_of_objects and _is_likely(one)]
    return max((one for one in named if one.is_column and not one.emails), key=lambda one: one.distinct, default=None)


def key_hint(likely: Profile | None, *, show_values: bool) -> str:
    """Return a comment that names the column to use as a key, or says that there is none."""
    if likely is None:
        return '# key = "id"  # the column that identifies a row; no column of the samples is unique'
    note = likely.note(show_values=show_values)
    reference = toml(column_reference(likely))
    return f"# key = {reference}  # {note}; {likely.distinct:,} different: uncomment it if it identifies a row"


def _is_likely(profile: Profile) -> bool:
    name = normal_name(profile.label)
    is_called_so = name.endswith((*_NAMES, *_ENDS)) or not set(_ENDS).isdisjoint(_WORDS.findall(profile.label.lower()))
    return is_called_so and not any(word in name for word in _NOT_KEYS)


def _is_nearly_unique(profile: Profile) -> bool:
    if profile.is_unique:
        return True
    texts = profile.texts
    keys = [key for key in map(normal_key, texts) if key]
    if len(keys) < max(_FEW, _MOSTLY_FILLED * profile.rows) or len(texts) < len(profile.values):
        return False
    # In a small file, one repeated value says more than the name of the column.
    return len(set(keys)) >= (_MOSTLY_DIFFERENT if len(keys) >= _MANY else 1) * len(keys)
