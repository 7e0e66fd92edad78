"""What is declared of the data sets, beside the published facts and the rules that readers set."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bulkgladly.gladly.table import DATA_SET_PLANS
from bulkgladly.lake.schemas import DATA_SETS, EXTRA, FETCH, JOB, LINE, data_set_of

FACTS: dict[str, Any] = json.loads(Path(__file__).with_name("facts.json").read_text(encoding="utf-8"))["enums"]
RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("data_sets.json").read_text(encoding="utf-8"))
"""Each data set as it was declared when its version was made."""

ONLY_BY_WEBHOOK = {"CONVERSATION_STATUS/UPDATED", "CUSTOMER_PROFILE/MERGED"}
"""Types of events that are not in the feed, and whose content has columns."""


@pytest.mark.parametrize(
    ("name", "fact"),
    [("items", "item_content_type"), ("conversation-items", "item_content_type"), ("events", "event_stream_type")],
)
def test_every_published_kind_is_declared(name: str, fact: str) -> None:
    """And no other: a kind that is not published is drift."""
    others = ONLY_BY_WEBHOOK if name == "events" else set()

    assert set(DATA_SETS[name].shapes) - others == set(FACTS[fact])
    assert others <= {*FACTS["webhook_event"], *FACTS["webhook_event_extra"], *FACTS["webhook_event_deprecated"]}


def test_every_file_of_an_export_job_has_a_data_set() -> None:
    """A file of another name has none."""
    found = {file: data_set_of(file) for file in FACTS["export_files"]}

    assert {file: data_set.name for file, data_set in found.items() if data_set} == {
        "agents.jsonl": "agents",
        "conversation_items.jsonl": "items",
        "customers.jsonl": "customers",
        "topics.jsonl": "topics",
    }
    assert data_set_of("../customers.jsonl") is None


def test_every_entity_asked_for_is_a_folder() -> None:
    """The types of the stream begin with the entities, but for one that has none of its own."""
    folders = {kind.partition("/")[0] for kind in set(DATA_SETS["events"].shapes) - ONLY_BY_WEBHOOK}

    assert folders == {*FACTS["event_stream_entity"], "CONVERSATION_ASSIGNEE"}


@pytest.mark.parametrize("name", DATA_SETS)
def test_schema_names_itself_and_ends_in_provenance(name: str) -> None:
    """Every part says what it is, and where each row comes from: a job's file, or a fetch."""
    data_set = DATA_SETS[name]

    assert data_set.name == name
    assert data_set.schema.metadata == {
        b"bulkgladly.data_set": name.encode(),
        b"bulkgladly.schema_version": str(data_set.version).encode(),
    }
    assert data_set.provenance is (JOB if data_set.file else FETCH)
    own = [*data_set.provenance, LINE, EXTRA]
    assert data_set.schema.names[-len(own) :] == own


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_column_of_a_shape_is_declared_with_its_type(name: str) -> None:
    """No value can be read for which the schema has no place, and no column stays empty for good."""
    data_set = DATA_SETS[name]
    shapes = (data_set.unknown, *data_set.shapes.values())

    for shape in shapes:
        assert shape.kind_path == data_set.kind_path
        assert len({column.name for column in shape.columns}) == len(shape.columns)
        for column in shape.columns:
            assert data_set.schema.field(column.name).type == column.type
    filled = {column.name for shape in shapes for column in shape.columns}
    assert filled == set(data_set.schema.names) - {*data_set.provenance, LINE, EXTRA}


@pytest.mark.parametrize("name", DATA_SETS)
def test_key_and_kind_are_columns_of_every_row(name: str) -> None:
    """Rows of kinds that are not declared are identified and told apart like all others."""
    data_set = DATA_SETS[name]
    always = {column.name for column in data_set.unknown.columns}

    assert data_set.key
    assert set(data_set.key) <= always
    assert data_set.has_kinds == (data_set.kind_column in always) == bool(data_set.shapes)


@pytest.mark.parametrize("name", DATA_SETS)
def test_partition_names_are_no_columns(name: str) -> None:
    """A reader that finds a name both in the folder and in the file refuses the data set."""
    data_set = DATA_SETS[name]

    assert not {*data_set.partitions} & {*data_set.schema.names}
    assert "date" not in data_set.partitions or data_set.schema.field("timestamp").type == pa.timestamp("us", "UTC")


@pytest.mark.parametrize("name", DATA_SETS)
def test_names_of_data_sets_are_folder_names(name: str) -> None:
    """Nothing that a shell, a URL or a reader takes for something else."""
    assert name.replace("-", "").isalpha()
    assert name == name.lower()


@pytest.mark.parametrize("name", RECORDED)
def test_every_data_set_is_declared_as_it_was(name: str) -> None:
    """A version of a data set never changes: its columns, types, keys, and which JSON each kind of line holds.

    A kind may be added that no line of that version had.
    """
    data_set = DATA_SETS[name]
    shapes = {"": data_set.unknown, **data_set.shapes}

    assert {
        "version": data_set.version,
        "key": list(data_set.key),
        "partitions": list(data_set.partitions),
        "file": data_set.file,
        "provenance": list(data_set.provenance),
        "kind_path": list(data_set.kind_path),
        "metadata": {key.decode(): value.decode() for key, value in (data_set.schema.metadata or {}).items()},
        "schema": [[field.name, str(field.type), field.nullable] for field in data_set.schema],
        "lines": {
            kind: [[column.name, ".".join(column.path), str(column.type), column.wraps] for column in one.columns]
            for kind, one in shapes.items()
        },
    } == RECORDED[name]


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_column_has_a_sentence(name: str) -> None:
    """What `schema show` prints: one short text for each column of the schema, in its order."""
    columns = DATA_SET_PLANS[name].all_columns

    assert [column.name for column in columns] == DATA_SETS[name].schema.names
    assert all(column.meaning.endswith((".", "...")) and len(column.meaning) <= 120 for column in columns)


def test_every_recorded_data_set_is_still_declared() -> None:
    """What was once written must be read again."""
    assert set(RECORDED) <= set(DATA_SETS)
