"""What a mapping may fill, as the draft of one needs to know it, and how other systems call it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ("ALIASES", "KEY_ENDS", "KEY_NAMES", "Target", "normal")

_NOT_ALNUM = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Target:
    """A field that a resource has. A `*` in `name` stands for a number; `most` are characters.

    `is_time` says that it takes a moment in UTC, `is_identity` that it says who or what is
    meant and is never cut, `in_pieces` that a text may become several records.
    """

    name: str
    most: int | None = None
    choices: tuple[str, ...] = ()
    is_required: bool = False
    is_time: bool = False
    is_identity: bool = False
    in_pieces: bool = False
    help: str = ""


def normal(name: str) -> str:
    """Return a name as it is compared: small letters and digits alone."""
    return _NOT_ALNUM.sub("", name.lower())


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ALIASES: Mapping[str, frozenset[str]] = {
    "name": _words("fullname displayname customername contactname customer contact person username"),
    "address": _words("streetaddress street mailingaddress fulladdress postaladdress billingaddress"),
    "image": _words("avatar avatarurl photo photourl picture imageurl"),
    "email:*": _words("email emailaddress mail emails workemail primaryemail contactemail customeremail useremail"),
    "phone:*": _words(
        "phone phonenumber telephone tel mobile mobilephone mobilenumber cell cellphone homephone workphone"
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
"""Names of columns in other systems, normalised, by the field that they most likely stand for."""

KEY_NAMES = ("id", "externalid", "uuid", "guid", "key", "customerid", "contactid", "userid", "ticketid")
"""Columns that may identify a row, the best first."""

KEY_ENDS = ("id", "no", "nr", "number", "key")
"""How the names of others end that may."""
