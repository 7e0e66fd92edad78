"""What helps against each kind of finding: a flag, an operation of a mapping, or the hand of the user."""

from collections.abc import Mapping

from bulkgladly.records import Problem, Stage

__all__ = ("fix_for",)

_FIXES: Mapping[str, str] = {
    "too_long": 'shorten it; in a mapping: max with too_long = "cut", or "split" into several records',
    "blank": "fill it in; in a mapping: default, or a constant",
    "invalid_choice": "correct the word; in a mapping: values, a table of your words and Gladly's",
    "invalid_email": "correct the address or leave the cell empty; in a mapping: extract takes it out of other text",
    "invalid_phone": "correct the number or leave the cell empty",
    "phone_region": "write numbers with + and country, or pass the country of national ones, such as --phone-region GB",
    "two_primary": "mark one address as primary",
    "no_identifier": "add an email, a phone or an id, or name the column that identifies a row: --key",
    "key_missing": "fill in the key column; every row needs its own",
    "key_type": "use a key column of texts or whole numbers",
    "key_invisible": "nothing has to be done; to see these characters, export the column again from its source",
    "key_apostrophe": "nothing has to be done; to be rid of them, export the column as plain text",
    "key_decimal": "export the column as text (in pandas: dtype=str), so that 4711 stays 4711",
    "key_rounded": "export the column as text again; digits may be lost, and different rows may have one key",
    "key_spelling": "nothing has to be done",
    "id": "use letters, digits, - and _, or leave the id out and name your own: --key",
    "invalid_time": 'write times with their zone; in a mapping: date and zone, such as zone = "Europe/London"',
    "too_old": "leave the row out; Gladly brings in older history by hand",
    "due_in_past": "give it a date in the future, or leave the row out; old tasks cannot be brought in with their date",
    "not_a_flag": "write true or false; in a mapping: values",
    "not_a_number": "write a whole number",
    "unknown_column": "correct the name, or leave the column out: --ignore-columns",
    "given_twice": "leave one of the two columns out: --ignore-columns",
    "customer": "name the customer in one way only: customerId, customerKey, customerEmail or customerMobile",
    "unknown_key": "import the parents first, and name their file (--parents) or their run; or correct the key",
    "unknown_parent": "import the parents first, and name their file: --parents; or correct the id",
    "duplicate_key": "remove one of the rows, or let the last one win: --on-duplicate last",
    "duplicate_address": "give the address to one row, or choose --on-conflict skip, update or merge",
    "unknown_language": "use one of the organisation's languages, or add it in Gladly and to --languages",
    "html_tag": 'take the tags out; in a mapping: html = "clean", or html = "to_text"',
    "html_attribute": 'take the attributes out; in a mapping: html = "clean"',
    "html_style": 'take the styles out; in a mapping: html = "clean"',
    "mapping": "correct the row or the mapping; `map check` shows rows before and after",
    "mapping_skipped": "nothing: the mapping leaves these rows out",
    "header_again": "remove the line",
    "ragged_row": "put cells that hold the delimiter into quotes",
    "malformed_csv": "close every quote, and double the quotes inside a quoted cell",
    "malformed_json": "correct the line",
    "invalid_utf8": "save the file as UTF-8, or name its encoding: --encoding",
    "invalid_encoding": "name the encoding of the file: --encoding",
    "nul_character": "remove the NUL characters",
    "record_too_large": "shorten the row, or look for a missing quote",
}


def fix_for(problem: Problem) -> str:
    """Return what helps, in the words of the flags and of mappings."""
    fix = _FIXES.get(problem.code)
    if fix is not None:
        return fix
    return "correct the file" if problem.stage is Stage.READ else "correct the value"
