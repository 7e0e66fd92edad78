"""The fields that a draft can fill, and the names that columns of other systems have for them. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ("Target", "is_named", "normal_name")

_NOT_ALNUM = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Target:
    """A field of an object that a mapping can fill. A `*` in `name` stands for a number; `most` are characters.

    `is_time`: it takes a moment in UTC. `is_identity`: it says who or what is meant, so it is never cut.
    `in_pieces`: a long text can become several records. `is_optional`: a record is worth sending without it.
    `is_list`: it takes several texts. `is_unique`: no two objects have the same value.
    """

    name: str
    most: int | None = None
    choices: tuple[str, ...] = ()
    is_required: bool = False
    is_time: bool = False
    is_identity: bool = False
    in_pieces: bool = False
    is_optional: bool = False
    is_list: bool = False
    is_unique: bool = False
    help: str = ""

    @property
    def what(self) -> str:
        """What the field holds, in a few words."""
        return self.help or (f"one of {', '.join(self.choices)}" if self.choices else "no column seems to hold it")


def normal_name(name: str) -> str:
    """Return a name in the form in which names are compared: only lower-case letters and digits, without accents."""
    folded = name.lower() if name.isascii() else unicodedata.normalize("NFKD", name.casefold())
    return _NOT_ALNUM.sub("", folded)


def is_named(names: set[str], target: Target, to: str) -> bool:
    """Tell whether one of some normalised column names means a field of the object `to`."""
    field = target.name
    meant = {normal_name(field.partition(":")[0])} | _ALIASES.get(field, frozenset())
    return bool(names & (meant | _OF_OBJECT.get((to, field), frozenset())))


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
        "phone phonenumber phones telephone tel mobile mobilephone mobilenumber mobileno cell cellphone homephone"
        " workphone officephone phonehome phonework phonemobile businessphone defaultaddressphone"
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
    "inbox": _words("group groupname team queue department inboxname"),
    "agent": _words("assignee assigneeemail assignedto owner agentemail agentname"),
    "status": _words("state ticketstatus"),
    "path": _words("category categorypath topic tag"),
    "parent": _words("parentname parentcategory"),
    "parentKey": _words("parentid"),
    "description": _words("details summary"),
    "audiences": _words("audience audiencename audiencenames"),
    "bodyHtml": _words("body html htmlbody content publicanswercontent answercontent"),
    "itemId": _words("itemid conversationitemid"),
    "language": _words("locale lang languagecode"),
}
"""Column names of other systems, normalised, by the field that they most likely mean."""

_OF_OBJECT: Mapping[tuple[str, str], frozenset[str]] = {
    ("answers", "name"): _words("title subject headline question answername macroname"),
    ("answer-contents", "title"): _words("publicanswertitle name"),
    ("answer-contents", "answerKey"): _words("name answername articleid macroid id answerid"),
    ("tasks", "body"): _words("task tasks todo subject"),
    ("redactions", "itemId"): _words("id"),
}
"""Further names that mean something for one kind of object only."""
