"""The story of a record as lines that fit one screen: what is long is cut, and what is many is counted. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bulkgladly.explanations.explain_columns import cut, wrapped
from bulkgladly.explanations.record_story import (
    PENDING,
    UNCERTAIN,
    RecordStory,
    StoryDropped,
    StoryField,
    StoryRequest,
)
from bulkgladly.plans.plan_options import PLAN_MODE

__all__ = ("SCREEN_LINES", "few_stories", "story_lines")

SCREEN_LINES = 23
"""One less than a screen has: a line about masked values stands below."""
_LABEL = 10
_MOST_OF_VALUE = 2
"""Lines of one text, unless it says why or what to do."""


@dataclass(slots=True)
class _StoryPart:
    """A label and its lines. `least` is how many of them are shown in any case."""

    label: str
    lines: list[str]
    least: int = 1
    shown: int = 0


def story_lines(story: RecordStory, *, width: int = 80, most: int = SCREEN_LINES) -> list[str]:
    """Return a story as at most this many lines, none of them wider than the screen."""
    head = cut(f"{story.place} of run {story.run}", width)
    sections = [one for one in _sections(story, width - _LABEL) if one.lines]
    for one in sections:
        one.shown = len(one.lines)
    # What takes most room gives first, so that each section says something.
    while sum(one.shown for one in sections) > most - 1:
        longest = max(sections, key=lambda one: one.shown - one.least)
        if longest.shown <= longest.least:
            break
        longest.shown -= 1
    return [head, *(line for one in sections for line in _printed(one))][:most]


def _printed(section: _StoryPart) -> Iterator[str]:
    lines = section.lines[: section.shown]
    if section.shown < len(section.lines) and section.shown > 1:
        lines[-1] = f"and {len(section.lines) - section.shown + 1} more lines (--json has all)"
    for at, line in enumerate(lines):
        yield f"{section.label if at == 0 else '':<{_LABEL - 2}}  {line}"


def _sections(story: RecordStory, width: int) -> Iterator[_StoryPart]:
    values = [f"{name} {value}" for name, value in story.row.items()]
    row = wrapped(", ".join(values), width) if values else []
    yield _StoryPart("row", [*row, *_wrapped(story.row_note, width)], least=min(2, len(row) or 1))
    yield _StoryPart("record", [cut(line, width) for line in _made(story)])
    yield _StoryPart("dropped", [cut(f"{_named(one)}: {one.value} ({one.reason})", width) for one in story.dropped])
    yield _StoryPart("key", _wrapped(_with(story.key, story.key_from), width))
    yield _StoryPart("id", _wrapped(_with(story.gladly_id, story.id_from), width))
    yield _StoryPart("claims", _wrapped(", ".join(story.claims), width))
    yield _StoryPart("before", _wrapped(story.known_before, width))
    requests = [cut(_request_text(one), width) for one in story.requests]
    yield _StoryPart("plan", _wrapped(story.plan, width))
    yield _StoryPart("requests", requests or _wrapped(story.requests_note, width), least=2)
    label = "writing" if story.outcome == PENDING else "planned" if story.mode == PLAN_MODE else "written"
    yield _StoryPart(label, [cut(_write_text(one), width) for one in story.written])
    yield _StoryPart("why", _wrapped(story.decision, width, most=4), least=4)
    yield _StoryPart("result", _wrapped(_result(story), width, most=4), least=4)
    yield _StoryPart("fix", _wrapped(story.fix, width, most=3), least=3)
    yield _StoryPart("undone", _wrapped(story.undone, width, most=3), least=3)
    differs = [cut(f"{one.field}: {one.before}, and the row says {one.after}", width) for one in story.now_differs]
    yield _StoryPart("now", [*_wrapped(story.now, width, most=3), *differs], least=3)


def _made(story: RecordStory) -> Iterator[str]:
    if story.part:
        yield story.part
    for one in story.made:
        yield f"{_named(one)}: {_change_text(one)}"


def _named(one: StoryField | StoryDropped) -> str:
    return f"{one.field} <- {one.from_}" if one.from_ and one.from_ != one.field else one.field


def _change_text(one: StoryField) -> str:
    if one.before in ("", "nothing", one.after):
        return one.after
    return f"{one.before} -> {one.after}"


def _write_text(one: StoryField) -> str:
    doubt = " (not certain)" if one.from_.endswith(UNCERTAIN) else ""
    # Two values may have one form, so that they look equal when they are masked.
    told = one.after if one.before in ("", "nothing") else f"{one.before} -> {one.after}"
    return f"{one.field}: {told}{doubt}"


def _request_text(one: StoryRequest) -> str:
    codes = f" {', '.join(one.codes)}" if one.codes else ""
    tries = f", {one.attempts} attempts" if one.attempts > 1 else ""
    return f"{one.at[11:]} {one.operation} HTTP {one.status or '-'}{codes}: {one.meant}{tries}"


def _result(story: RecordStory) -> str:
    if story.outcome == PENDING:
        return "not ended yet"
    about = [f"HTTP {story.status}"] if story.status else []
    about += [f"{story.code}{f' in {story.attr}' if story.attr else ''}"] if story.code else []
    told = f" ({', '.join(about)})" if about else ""
    detail = f": {story.detail}" if story.detail else ""
    return f"{story.outcome}{told} at {story.at}{detail}"


def _with(text: str, about: str) -> str:
    return f"{text} ({about})" if text and about else text


def _wrapped(text: str, width: int, most: int = _MOST_OF_VALUE) -> list[str]:
    lines = wrapped(text, width)
    if len(lines) > most:
        lines = [*lines[: most - 1], cut(" ".join(lines[most - 1 :]), width)]
    return lines


def few_stories(stories: Sequence[RecordStory], most: int, *, width: int = 80) -> list[str]:
    """Return several records as a list, one a line, to choose from."""
    lines = [
        cut(f"{at:>4}  {one.outcome:<9}  {one.place}  {one.key or one.gladly_id}", width)
        for at, one in enumerate(stories, 1)
    ]
    return lines if len(lines) <= most else [*lines[: most - 1], f"      and {len(lines) - most + 1:,} more"]
