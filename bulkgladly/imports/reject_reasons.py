"""Why a row did not arrive, in words for people who have not read the manual. Pure, and without values of the row."""

from collections.abc import Mapping

from bulkgladly.records import Stage

__all__ = ("SPLIT_CODE", "left_out", "reason_for")

SPLIT_CODE = "invalid_phone"
"""The most frequent reject: there are several kinds, each with a fix of its own, and their details have no values."""

_REASONS: Mapping[str, str] = {
    "invalid_phone": "the phone number is not valid",
    "invalid_email": "the email address is not valid",
    "phone_region": "a local phone number without a country",
    "two_primary": "two addresses are marked as primary",
    "no_identifier": "no email, phone, id or key to identify the customer",
    "key_missing": "the key is empty",
    "key_type": "the key is neither a text nor a whole number",
    "id": "the id has characters that Gladly does not allow, or is too long",
    "blank": "a required value is empty",
    "no_value": "a value is empty",
    "nothing_to_do": "nothing in the row can be changed",
    "too_long": "a text is longer than Gladly allows",
    "wrong_length": "a text has the wrong length",
    "invalid_choice": "the value is not one of those that Gladly accepts",
    "invalid_time": "the date or time cannot be read, or has no time zone",
    "time_out_of_range": "the date is outside of the years 1 to 9999",
    "unfit_number": "a number is too large",
    "too_old": "it is older than Gladly accepts",
    "due_in_past": "it is due in the past",
    "not_a_flag": "the value is not yes or no",
    "not_a_number": "the value is not a number",
    "not_text": "the value is not a text",
    "type": "the value is of the wrong type",
    "not_a_list": "the value is not a list",
    "not_an_object": "the row is not an object",
    "invalid_json": "the cell is not valid JSON",
    "invalid": "the value is not valid",
    "unknown_column": "the row has a column that is not known",
    "given_twice": "the same thing is given in two columns",
    "customer": "the row names no customer, or names one in several ways",
    "unknown_key": "it refers to something that was not imported",
    "unknown_name": "a name does not exist in Gladly",
    "ambiguous_name": "a name exists several times in Gladly",
    "disabled_name": "a name is disabled in Gladly",
    "unknown_language": "the organisation does not have this language",
    "duplicate_key": "another row has the same key and different content",
    "duplicate_address": "another row has the same email or phone",
    "taken": "another record in Gladly has the same id, address or name",
    "ambiguous": "its addresses belong to several customers in Gladly",
    "not_exist": "it does not exist in Gladly",
    "deleted_since": "it was deleted in Gladly since",
    "moved": "it was merged into another customer in Gladly",
    "mapping": "the mapping cannot convert a value",
    "transform": "your own function failed",
    "ragged_row": "the row has more or fewer cells than the header",
    "malformed_csv": "a quote is missing or misplaced",
    "malformed_json": "the line is not valid JSON",
    "unedited": "a line of rejected.csv was not corrected",
    "nameless_column": "a value is in a column without a name",
    "invalid_utf8": "the text is not in the encoding of the file",
    "invalid_encoding": "the text is not in the encoding of the file",
    "nul_character": "the text has a NUL character",
    "lone_surrogate": "the text has an incomplete character",
    "too_deep": "the row is nested too deeply",
    "record_too_large": "the row is too large",
    "no_answer": "Gladly did not respond",
    "unreadable": "Gladly's response could not be read",
    "unsettled": "no response came, so it is not known whether Gladly has it",
}
_LEFT_OUT: Mapping[str, str] = {
    "mapping_skipped": "left out by your filter",
    "blank_row": "blank",
    "header_again": "a repeated header",
    "taken": "skipped, because another record in Gladly has the address",
    "duplicate_address": "skipped, because another row has the address",
    "kept_merged": "kept, because people have merged it into another customer",
    "kept_no_longer_missing": "kept, because its key leads to another customer by now, or to none",
    "kept_in_the_files": "kept, because a row of the files has one of its addresses",
    "kept_changed_since": "kept, because Gladly holds something else than was sent last",
}


def reason_for(code: str, stage: str | None, kind: str = "") -> str:
    """Return why rows with this code, and of this kind, did not arrive. Codes of Gladly's own are named as they are."""
    if kind:
        return f"the phone is {kind}"
    if code == "moved" and stage == Stage.CONFLICT:
        return "it is no longer as the plan saw it"
    known = _REASONS.get(code)
    if known is not None:
        return known
    return f"Gladly refused it ({code})" if stage in (Stage.API, Stage.CONFLICT) else code


def left_out(code: str) -> str:
    """Return why rows with this code were passed over, as the end of "62 rows were ..."."""
    return _LEFT_OUT.get(code, f"skipped ({code})")
