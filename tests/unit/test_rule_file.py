"""Rules files: what they mean, and what is said of a mistake."""

from pathlib import Path

import pytest

from bulkgladly.errors import InputError, UsageError
from bulkgladly.gladly.event_envelopes import WEBHOOK_ONLY
from bulkgladly.gladly.objects.events import EVENT_TYPES
from bulkgladly.workflows.event_rule import KEYS, rule_sentence
from bulkgladly.workflows.rule_file import load_rules, parse_rules

ROOT = Path(__file__).parents[2]
SAMPLES = sorted((ROOT / "samples" / "rules").glob("*.toml"))
PAGE = (ROOT / "docs" / "rules.md").read_text("utf-8")
RULE = """
[[rules]]
name = "waits"
on = "CONTACT/STARTED"
key = "contact"
after = "7m"
unless = ["CONTACT/ENDED", "CONTACT/FULFILLED"]
do = { to = "-" }
"""
COUNT = """
[[rules]]
name = "toggles"
on = "AGENT_AVAILABILITY/UPDATED"
key = "agent"
count = 3
within = "5m"
do = { to = "exec:./tell" }
"""
ROW = """
[[rules]]
name = "task"
when = "event.type == 'CONVERSATION/REOPENED' && customer.customAttributes.tier == 'vip'"
do = [
  { to = "https://hooks.example.org/in" },
  { import = "tasks", row = { customerId = "{event.content.customerId}", inbox = "A", body = "b", dueAt = "{in 2h}" } },
]
"""
TEXT = """
[[rules]]
name = "text"
on = "CONTACT/ENDED"
contacts_people = "one"
do = { import = "sms", row = { mobileNumber = "{customer.phones[0].original}", from = "+16505550199", body = "Bye" } }
"""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            RULE,
            (
                "waits: 7 minutes after CONTACT/STARTED, unless CONTACT/ENDED or CONTACT/FULFILLED happens for the "
                "same contact before, pass the event on to the standard output."
            ),
        ),
        (
            COUNT,
            (
                "toggles: when AGENT_AVAILABILITY/UPDATED happens 3 times within 5 minutes for the same agent, pass "
                "the event on to exec:./tell."
            ),
        ),
        (
            ROW,
            (
                "task: when CONVERSATION/REOPENED happens, if event.type == 'CONVERSATION/REOPENED' && "
                "customer.customAttributes.tier == 'vip', pass the event on to https://hooks.example.org/in and import "
                "a row of tasks."
            ),
        ),
        (TEXT, "text: when CONTACT/ENDED happens, import a row of sms."),
    ],
)
def test_a_rule_as_one_sentence(text: str, sentence: str) -> None:
    """In plain words."""
    (rule,) = parse_rules(text, "rules.toml")

    assert rule_sentence(rule) == sentence


def test_what_needs_requests_is_kept_apart() -> None:
    """The condition is split, so that only events that can matter cost a request."""
    (rule,) = parse_rules(ROW, "rules.toml")

    assert rule.types == frozenset({"CONVERSATION/REOPENED"})
    assert (len(rule.cheap), len(rule.costly), rule.needs) == (1, 1, frozenset({"customer"}))


def test_all_events_of_an_entity() -> None:
    """A star stands for all of its types."""
    (rule,) = parse_rules(RULE.replace('"CONTACT/STARTED"', '"CONTACT/*"'), "rules.toml")

    assert rule.types is not None
    assert {"CONTACT/STARTED", "CONTACT/JOINED"} <= rule.types
    assert {name.split("/")[0] for name in rule.types} == {"CONTACT"}


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (RULE, '"CONTACT/STARTED"', '"CONTACT/START"', "[rule waits] on: 'CONTACT/START' is not a type of event"),
        (RULE, "CONTACT/ENDED", "CONTACT/END", "event; did you mean 'CONTACT/ENDED'?"),
        (RULE, 'on = "CONTACT/STARTED"', "when = \"event.type == 'CONTACT/START'\"", "when: 'CONTACT/START' is not"),
        (RULE, 'on = "CONTACT/STARTED"', "", "on: is missing; name the types of events"),
        (RULE, '"contact"', '"contacts"', "key: 'contacts' is not supported; choose contact, conversation, task, "),
        (RULE, '"contact"', '"task"', "events of the type CONTACT/ENDED have no task; choose contact, conv"),
        (RULE, '"7m"', '"7 minutes"', "after: '7 minutes' is not a duration; write a number with s, m, h or d"),
        (RULE, '"7m"', '"400d"', "after: '400d' is too long; the longest is 31d"),
        (RULE, 'after = "7m"', "", 'unless: needs a wait; add after, such as after = "7m"'),
        (RULE, 'key = "contact"', "", 'unless: needs to know for whom; add key, such as key = "contact"'),
        (RULE, '"waits"', '"it waits"', "[rule it waits] name: must be 1 to 60 letters, digits, - or _"),
        (RULE, '"-"', '"file.txt"', "[rule waits, do] to: 'file.txt' is not a sink"),
        (RULE, "to =", "too =", "[rule waits, do] to: or import is needed, and only one"),
        (RULE, "do = { to = \"-\" }", "", "do: is missing; say what the rule does"),
        (RULE, "unless", "unles", "unles: is not a known option; did you mean unless?"),
        (RULE, 'key = "contact"', 'key = "contact"\ncontacts_people = "all"', "is only for rules that send messages"),
        (COUNT, 'within = "5m"', "", "count: needs a time; add within"),
        (COUNT, "count = 3", "", "within: needs a number; add count"),
        (COUNT, "count = 3", "count = 1", "count: 1 is not supported; choose a number from 2 to 10,000"),
        (COUNT, "count = 3", 'count = 3\nafter = "1m"', "after: cannot be combined with count; write two rules"),
        (COUNT, '"exec:./tell"', '"exec: "', "is not a sink"),
        (ROW, "&& customer", "|| customer", "would request the customer of every event"),
        (ROW, "event.type", "evnt.type", "when: ") ,
        (ROW, "tasks", "task", "import: unknown object 'task'; did you mean 'tasks'?"),
        (ROW, 'import = "tasks"', 'import = "redactions"', "import: redactions can only be deleted"),
        (ROW, "body =", "bodi =", "[rule task, do 2.row] bodi: is not a column of tasks; did you mean body?"),
        (ROW, ', dueAt = "{in 2h}"', "", "dueAt: is missing"),
        (ROW, "{in 2h}", "{in 2 hours}", "dueAt: '{in 2 hours}' is not a moment"),
        (ROW, "{in 2h}", "{in 2h", "has a brace that is not closed"),
        (ROW, "{in 2h}", "soon", "dueAt: must be a time"),
        (TEXT, 'contacts_people = "one"', "", "contacts_people: is missing: each row of sms sends a text message"),
        ("x = 1", "", "", "x: is not a known option; choose from rules"),
        ("", "", "", "has no rules; begin each with a line [[rules]]"),
        ("[", "", "", "is not valid TOML"),
        (RULE + RULE, "", "", "two rules have the name 'waits'"),
    ],
)  # fmt: skip
def test_mistakes(text: str, old: str, new: str, message: str) -> None:
    """The message names the file, the rule and the field, and says what to write."""
    with pytest.raises(UsageError) as caught:
        parse_rules(text.replace(old, new) if old else text, "rules.toml")

    assert str(caught.value).startswith("rules.toml: ")
    assert message in str(caught.value)


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    """The message names it."""
    with pytest.raises(InputError, match=r"none\.toml: cannot be read: No such file"):
        load_rules(tmp_path / "none.toml")


@pytest.mark.parametrize("path", SAMPLES, ids=[path.stem for path in SAMPLES])
def test_samples_are_valid(path: Path) -> None:
    """All that are shipped."""
    assert load_rules(path)


@pytest.mark.parametrize("number", [0, 1])
def test_the_rules_of_the_page_are_valid(number: int) -> None:
    """Those of docs/rules.md, as they stand."""
    text = PAGE.split("```toml")[number + 1].partition("\n")[2].partition("```")[0]

    assert parse_rules(text, "docs/rules.md")


def test_the_page_lists_all_types_and_fields() -> None:
    """With what each can be told apart by."""
    for name, fields in {**EVENT_TYPES, **WEBHOOK_ONLY}.items():
        keys = ", ".join(key for key, field in KEYS.items() if field in fields) or "none"
        kind = f"`{name}` (webhooks only)" if name in WEBHOOK_ONLY else f"`{name}`"
        assert f"| {kind} | {keys} |" in PAGE
    for field in ("name", "on", "when", "do", "key", "after", "unless", "most_per_hour", "contacts_people"):
        assert f"| `{field}` |" in PAGE


def test_there_are_samples() -> None:
    """The five that the documents name."""
    assert len(SAMPLES) == 5
