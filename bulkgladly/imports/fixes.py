"""What to do about each kind of problem of a row, in terms of options and mapping operations."""

from collections.abc import Mapping

from bulkgladly.records import Problem, Stage

__all__ = ("DUPLICATE_FIX", "UNKNOWN_FIX", "fix_for")

DUPLICATE_FIX = "delete this line, or empty _duplicate to let it win over the other row"
UNKNOWN_FIX = "import the row again: a record that exists already is recognised"

_FIXES: Mapping[str, str] = {
    "too_long": 'shorten it; in a mapping, set max with too_long = "cut" or "split"',
    "blank": "fill it in; in a mapping, set default, or use a constant",
    "invalid_choice": "use one of Gladly's words; in a mapping, translate yours with values",
    "invalid_email": "correct the address or leave the cell empty; in a mapping, extract finds it in a longer text",
    "invalid_phone": "correct the number or leave the cell empty",
    "phone_region": "pass the country of local numbers, for example --phone-region GB, "
    "or write them as +<country><number>",
    "two_primary": "mark one address as primary",
    "no_identifier": "add an email, a phone or an id, or pass the column that identifies a row: --key COLUMN",
    "key_missing": "fill in the key column in every row",
    "key_type": "use a key column of texts or whole numbers",
    "key_invisible": "none needed: the characters are ignored; export the column again from its source to remove them",
    "key_apostrophe": "none needed: the apostrophe is ignored; export the column as plain text to remove it",
    "key_formula": "none needed: the text is read; export the column as plain text to remove it",
    "key_decimal": "export the column as text (in pandas: dtype=str), so that 4711 stays 4711",
    "key_rounded": "export the column as text again; digits may be lost, and different rows may share one key",
    "key_spelling": "none needed: both spellings are one key",
    "key_twin": "if both are one object, write its key in one way; as they are, they become two",
    "id": "use letters, digits, - and _, or remove the id and pass your own key: --key COLUMN",
    "invalid_time": 'write times with their offset; in a mapping, set date and zone, such as zone = "Europe/London"',
    "ambiguous_date": "keep only the form in date that the file has; if it has both, correct these rows",
    "too_old": "remove the row; ask Gladly to import older history",
    "due_in_past": "set a date in the future, or remove the row; Gladly refuses new tasks that are due in the past",
    "not_a_flag": "use true or false; in a mapping, translate your words with values",
    "not_a_number": "use a whole number",
    "not_text": "write the value as text (in pandas: dtype=str)",
    "unknown_column": "correct the name, or pass --ignore-columns COLUMN",
    "given_twice": "pass one of the two columns to --ignore-columns",
    "customer": "name the customer in exactly one way: customerId, customerKey, customerEmail or customerMobile",
    "unknown_key": "import these objects first, or pass their file: --parents FILE; or correct the key",
    "unknown_parent": "import these objects first, or pass their file: --parents FILE; or correct the id",
    "duplicate_key": "remove one of the rows, or pass --on-duplicate last to let the last row win "
    "(in a file of rejects: empty _duplicate)",
    "duplicate_address": "keep the address or number in one row only, or pass --on-conflict skip, update or merge",
    "unknown_language": "use a language of the organisation, or add this one in Gladly and to --languages",
    "html_tag": 'remove the tags; in a mapping, set html = "clean" or html = "to_text"',
    "html_attribute": 'remove the attributes; in a mapping, set html = "clean"',
    "html_style": 'remove the styles; in a mapping, set html = "clean"',
    "mapping": "correct the row or the mapping; `bulkgladly map check` shows rows before and after",
    "mapping_skipped": "none needed: the mapping skips these rows",
    "header_again": "none needed: the line is skipped",
    "blank_row": "none needed: blank rows are skipped",
    "nameless_column": "give the column a name in the header, or empty it",
    "ragged_row": "put cells that hold the delimiter in quotes",
    "malformed_csv": "close every quote, and double the quotes within a quoted cell",
    "malformed_json": "correct the line",
    "invalid_utf8": "save the file as UTF-8, or pass its encoding, such as --encoding cp1252",
    "invalid_encoding": "pass the encoding of the file, such as --encoding cp1252",
    "placeholder": 'empty the cells, if they mean no value; in a mapping: values = { "N/A" = "" }, otherwise = "keep"',
    "number_rounded": "export the column as text again: digits are lost",
    "number_decimal": "export the column as text (in pandas: dtype=str)",
    "number_apostrophe": "export the column as plain text, or remove the apostrophes",
    "cell_formula": 'export the column as plain text, or replace ="4711" by 4711',
    "rows_in_cell": "open the file at this line, and correct the quotes there and in the lines after it",
    "nul_character": "remove the NUL characters",
    "unedited": "fill in the cells from _raw and empty _raw, or delete the line",
    "taken": "correct the address, or pass --on-conflict update or merge",
    "ambiguous": "look in Gladly which customer is meant, and correct the addresses or pass its id",
    "record_too_large": "shorten the row, or look for a missing quote",
    "no_value": "fill in the value, or leave its column out",
    "nothing_to_do": "fill in a field that can be changed, or remove the row",
    "wrong_length": "shorten or lengthen the text as the detail says",
    "time_out_of_range": "correct the date: years 1 to 9999",
    "unfit_number": "write the number as text",
    "type": "write the value as the type of its field; `bulkgladly schema show` has the types",
    "not_a_list": "write the value as a list",
    "not_an_object": "write each line as a JSON object, such as {...}",
    "invalid_json": "correct the JSON in the cell",
    "lone_surrogate": "write the whole character",
    "too_deep": "flatten the row: at most 200 levels",
    "transform": "correct your function, or what it expects of the row",
    "unknown_name": "correct the name, or add it in Gladly; in a mapping, translate yours with values",
    "ambiguous_name": "use the id instead of the name, or rename one of them in Gladly",
    "disabled_name": "use another name, or enable this one in Gladly",
    "deleted_since": "leave the row out; to create it again, forget its key first: `bulkgladly crosswalk repair OBJECT "
    "--forget-deleted`",
    "no_answer": "retry the run later",
    "unreadable": "retry the run later; if it stays, look at what stands between you and Gladly, such as a proxy",
    "unsettled": UNKNOWN_FIX,
}
_MOVED_SINCE_PLANNED = "look at the record in Gladly; if the file is right, plan again, or import it"
_MERGED = "name the customer that remains, if that one is meant, or leave the row out"
_NO_PARENT = "correct the id, or import that object first, then retry the run"
_NOT_THERE = "correct the id, or leave the row out; if the row itself is to be created, pass --mode upsert"


def fix_for(problem: Problem) -> str:
    """Return what to do about a problem, in terms of options and mapping operations."""
    if problem.code == "moved":
        return _MOVED_SINCE_PLANNED if problem.stage is Stage.CONFLICT else _MERGED
    if problem.code == "not_exist":
        return _NO_PARENT if problem.attr else _NOT_THERE
    fix = _FIXES.get(problem.code)
    if fix is not None:
        return fix
    if problem.stage is Stage.READ:
        return "correct the file"
    return "correct what Gladly refuses" if problem.stage is Stage.API else "correct the value"
