"""From a page's source to HTML: Jinja for facts, Markdown for prose, Pygments for code.

A page is Markdown with Jinja in it. What Jinja makes as HTML is put in after Markdown is done, so
that neither has to know the other's rules.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

FOLDER = Path(__file__).parent
EXAMPLES = FOLDER / "examples"
_PLACE = "tradewire-insert-{}"
_PLACES = re.compile(r"<p>tradewire-insert-(\d+)</p>")
_ANCHOR = re.compile(r'<a class="anchor".*?</a>', re.DOTALL)
_KIND = re.compile(r'<span class="kind">.*?</span>', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_NOT_OF_A_SLUG = re.compile(r"[^a-z0-9]+")
_LANGUAGES = {"sh": "bash", "py": "python", "mts": "typescript"}
_LANGUAGE_NAMES = {"sh": "curl", "py": "Python", "mts": "TypeScript"}
# What is in the list beside the page.
_HEADINGS = re.compile(r'<h([23])\b[^>]*\bid="([^"]+)"[^>]*>(.*?)</h\1>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading with its anchor."""

    level: int
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Body:
    """A rendered page without its frame."""

    html: Markup
    headings: tuple[Heading, ...]


def render_markdown(source: str, inserts: Sequence[str] = ()) -> Body:
    """Render Markdown; a paragraph that names an insert is replaced by it."""
    markdown = _markdown()
    tokens = markdown.parse(source)
    _anchor_headings(tokens)
    html = markdown.renderer.render(tokens, markdown.options, {})
    html = _PLACES.sub(lambda found: inserts[int(found[1])], html)
    return make_body(html)


def make_body(html: str) -> Body:
    """Return a page of HTML with the headings that have an anchor."""
    return Body(
        Markup(html),
        tuple(
            Heading(int(found[1]), found[2], plain(_KIND.sub("", without_anchors(found[3]))))
            for found in _HEADINGS.finditer(html)
        ),
    )


def inline(text: str) -> Markup:
    """Render one line of Markdown, as in comments of the contract."""
    return Markup(_markdown().renderInline(text))


def paragraphs(text: str) -> Markup:
    """Render a comment with its paragraphs."""
    return Markup(_markdown().render(text))


def code_block(content: str, language: str, title: str = "") -> Markup:
    """Return highlighted code, with a title such as its file's name."""
    lexer = get_lexer_by_name(language, stripnl=False)
    body = highlight(content.rstrip("\n") + "\n", lexer, HtmlFormatter(nowrap=True))
    caption = f'<div class="code-title">{Markup.escape(title)}</div>' if title else ""
    return Markup(
        f'<div class="code" data-language="{language}">{caption}'
        f'<pre tabindex="0"><code>{body}</code></pre></div>'
    )


def slug(text: str) -> str:
    """Return the anchor of a heading."""
    return _NOT_OF_A_SLUG.sub("-", text.lower()).strip("-")


def without_anchors(html: str) -> str:
    """Return HTML without the links of headings to themselves."""
    return _ANCHOR.sub("", html)


def plain(html: str) -> str:
    """Return the text of HTML."""
    return " ".join(Markup(_TAG.sub(" ", html)).unescape().split())


def make_environment(facts: dict[str, Any]) -> Environment:
    """Return the templates' environment; facts are known to all of them."""
    environment = Environment(
        loader=FileSystemLoader([FOLDER / "templates", FOLDER / "pages"]),
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["inline"] = inline
    environment.filters["paragraphs"] = paragraphs
    environment.globals.update(facts)
    return environment


class PageSource:
    """A Markdown page with the functions that it may call."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._inserts: list[str] = []

    def render(self, name: str) -> Body:
        """Render a page of the folder `pages`."""
        return self.render_text(self._environment.get_template(name).render(self._functions()))

    def render_text(self, markdown: str) -> Body:
        """Render Markdown that is no template, or is one no more."""
        return render_markdown(markdown, self._inserts)

    def _functions(self) -> dict[str, Any]:
        return {"example": self._example, "examples": self._examples, "table": self._table}

    def _example(self, name: str) -> str:
        return self._insert(example_block(name))

    def _examples(self, group: str, *names: str) -> str:
        """Show the same thing in several languages, one at a time."""
        template = self._environment.get_template("tabs.html")
        tabs = [(_LANGUAGE_NAMES[name.rpartition(".")[2]], example_block(name)) for name in names]
        return self._insert(template.render(group=group, tabs=tabs))

    def _table(self, name: str, **values: Any) -> str:
        return self._insert(self._environment.get_template(f"{name}.html").render(values))

    def _insert(self, html: str) -> str:
        self._inserts.append(html)
        return f"\n\n{_PLACE.format(len(self._inserts) - 1)}\n\n"


def example_block(name: str) -> Markup:
    """Return an example, a file that the tests run."""
    content = (EXAMPLES / name).read_text(encoding="utf-8")
    return code_block(content, _LANGUAGES[name.rpartition(".")[2]], name)


@cache
def _markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "typographer": False}).enable("table")

    def fence(tokens: list[Token], index: int, options: Any, env: Any) -> str:
        language, _, title = tokens[index].info.strip().partition(" ")
        return code_block(tokens[index].content, language or "text", title)

    def indented(tokens: list[Token], index: int, options: Any, env: Any) -> str:
        return code_block(tokens[index].content, "text")

    def table(tokens: list[Token], index: int, options: Any, env: Any) -> str:
        return '<div class="table" tabindex="0"><table>\n'

    def table_end(tokens: list[Token], index: int, options: Any, env: Any) -> str:
        return "</table></div>\n"

    rules: dict[str, Any] = {
        "fence": fence,
        "code_block": indented,
        "table_open": table,
        "table_close": table_end,
    }
    for name, rule in rules.items():
        markdown.renderer.rules[name] = rule  # type: ignore[attr-defined]
    return markdown


def _anchor_headings(tokens: list[Token]) -> None:
    """Give each heading an anchor that no other has."""
    taken: dict[str, int] = {}
    for token, content in pairwise(tokens):
        if token.type != "heading_open":
            continue
        text = plain(_markdown().renderInline(content.content))
        anchor = slug(text)
        taken[anchor] = taken.get(anchor, 0) + 1
        if taken[anchor] > 1:
            anchor = f"{anchor}-{taken[anchor]}"
        token.attrSet("id", anchor)
