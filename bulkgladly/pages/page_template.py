"""The page as HTML: a template that escapes everything, with its style inside, and a policy that allows only that."""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from bulkgladly.pages.outcome_words import colour_of
from bulkgladly.pages.page_view import PageView
from bulkgladly.pages.plot_shapes import WIDTH
from bulkgladly.pages.time_axis import EDGE
from bulkgladly.plain_words import duration_text
from bulkgladly.shown import MOST_DETAIL, shown

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ("page_template", "plain_template", "policy_of", "rendered")


def rendered(view: PageView) -> bytes:
    """Return a page as UTF-8. All text in it is one line without anything that a reader cannot see."""
    style, policy = _style()
    text: str = page_template().render(view=view, style=style, policy=policy)
    return text.encode()


@cache
def page_template() -> "Template":
    """Return the template, compiled once for all pages of a process."""
    # Only here: to load it takes longer than a short command, and only the end of a run needs it.
    import jinja2  # noqa: PLC0415

    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters |= {"share": _share, "colour": colour_of, "duration": duration_text}
    environment.globals |= {"width": WIDTH, "edge": EDGE}
    return environment.from_string(_file("report.html.jinja"))


def plain_template(text: str) -> "Template":
    """Return the template of another page, which escapes what it is given and shows it as it is, over several lines."""
    import jinja2  # noqa: PLC0415  # as above

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(text)


def _share(value: float) -> str:
    return f"{100 * value:.2f}%"


def _visible(value: object) -> object:
    # Marks that reverse a line, line breaks and the like are written out, whatever part of the page they are in.
    return shown(value, MOST_DETAIL) if type(value) is str and not value.isprintable() else value


@cache
def _style() -> tuple[str, str]:
    """Return the style, and the policy that allows it and nothing else."""
    style = _file("report.css")
    return style, policy_of(style)


def policy_of(style: str) -> str:
    """Return the content security policy of a page that has this style inside, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _file(name: str) -> str:
    return files("bulkgladly.pages").joinpath(name).read_text(encoding="utf-8")
