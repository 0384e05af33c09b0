"""Elements of an HTML page that opens offline: text, tables, embedded figures. Knows no physics."""

import base64
import html
from collections.abc import Callable, Collection, Iterable, Sequence

MIME = {"svg": "image/svg+xml", "png": "image/png"}


def text(value: object) -> str:
    """Return a value as text without HTML markup."""
    return html.escape(str(value), quote=True)


def tag(name: str, *inside: str, **attributes: str) -> str:
    """Return <name attribute="...">inside</name>; `inside` is HTML, attributes are text; class_ is class."""
    words = "".join(f' {key.rstrip("_").replace("_", "-")}="{text(v)}"' for key, v in attributes.items())
    return f"<{name}{words}>{''.join(inside)}</{name}>"


def table(
    rows: Sequence[Sequence[str]], caption: str = "", words: Collection[int] = (0,),
    heads: Callable[[str], str] = text,
) -> str:  # fmt: skip
    """Return a table of plain texts; the first row is the head. It scrolls sideways on a narrow page.

    words  columns of words, flush left; the others hold numbers
    heads  turns the text of a head, of a caption and of a cell of words into HTML
    """
    head, *body = rows
    kind = ["word" if i in words else "number" for i in range(len(head))]
    said = tag("caption", heads(caption)) if caption else ""
    top = (tag("th", heads(c), scope="col", class_=k) for c, k in zip(head, kind, strict=True))
    cells = tag("thead", tag("tr", *top))
    lines = (
        (tag("td", heads(c) if k == "word" else text(c), class_=k) for c, k in zip(row, kind, strict=True))
        for row in body
    )
    cells += tag("tbody", *(tag("tr", *line) for line in lines))
    return tag("div", tag("table", said, cells), class_="wide", tabindex="0", role="region",
               aria_label=caption or "table")  # fmt: skip


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    """Return names and values, one below the other."""
    return tag("dl", *(tag("dt", text(name)) + tag("dd", text(value)) for name, value in rows))


def bullets(lines: Iterable[str], words: Callable[[str], str] = text) -> str:
    """Return a list of plain texts; `words` turns them into HTML."""
    return tag("ul", *(tag("li", words(line)) for line in lines))


def folded(summary: str, inside: str) -> str:
    """Return a section that opens on a click; it is open in print. Both arguments are HTML."""
    return tag("details", tag("summary", summary), inside)


def figure(
    data: bytes, kind: str, alt: str, caption: str, *, title: str = "", link: str = "", wide: bool = True
) -> str:
    """Return an embedded image with heading and caption, so that the page is one file.

    link  file beside the page with the numbers of the figure
    wide  the image takes the width of the page
    """
    source = f"data:{MIME[kind]};base64,{base64.b64encode(data).decode()}"
    picture = f'<img src="{source}" alt="{text(alt)}">'
    if wide:  # scrolls sideways on a narrow screen, where its words would be too small
        picture = tag("div", picture, class_="wide", tabindex="0", role="region", aria_label=alt)
    numbers = f" Numbers: {tag('a', text(link), href=link)}." if link else ""
    said = tag("figcaption", text(caption), numbers)
    heading = tag("h3", text(title)) if title else ""
    return tag("figure", heading, picture, said, class_="all" if wide else "one")


def section(title: str, *inside: str) -> str:
    """Return a second-level heading with its contents."""
    return tag("section", tag("h2", text(title)), *inside, id=anchor(title))


def anchor(title: str) -> str:
    """Return the name of a section in links."""
    return title.lower().replace(" ", "-")


def contents(titles: Iterable[str]) -> str:
    """Return links to the sections of the page."""
    entries = (tag("li", tag("a", text(title), href=f"#{anchor(title)}")) for title in titles)
    return tag("nav", tag("ul", *entries), aria_label="contents")


def page(title: str, style: str, body: str) -> str:
    """Return a whole document."""
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    head += tag("title", text(title)) + tag("style", style)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{body}</body></html>\n'


STYLE = """
:root { --ink: #1f2328; --faint: #59636e; --line: #d8dee4; --good: #116329; --bad: #9a3412; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 75rem; color: var(--ink); background: #fff;
  font: 400 1rem/1.5 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; font-weight: 300; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; font-weight: 400; margin: 2.4rem 0 .6rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; font-weight: 600; margin: 1.2rem 0 .3rem; }
p, ul, dl { max-width: 46rem; } .faint { color: var(--faint); font-size: .9rem; }
.state { border-left: .3rem solid var(--good); padding: .5rem .9rem; margin: 1.2rem 0; background: #f3faf5; }
.state.bad { border-color: var(--bad); background: #fef6f0; }
.state strong { color: var(--good); } .state.bad strong { color: var(--bad); }
.state ul { margin: .4rem 0 0; padding-left: 1.2rem; }
.wide { overflow-x: auto; margin: .6rem 0 1rem; overflow-wrap: normal; }
table { border-collapse: collapse; font-size: .84rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); padding: 0 0 .3rem; }
th, td { padding: .25rem .5rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { font-weight: 600; white-space: normal; vertical-align: bottom; }
.word { text-align: left; } th:first-child, td:first-child { padding-left: 0; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; padding: 0; max-width: none; }
a { color: #0b57a4; } sub, sup { line-height: 0; font-size: .75em; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr));
  gap: 0 2.4rem; align-items: start; grid-auto-flow: dense; }
.figures .all { grid-column: 1 / -1; min-width: 0; } figure h3 { margin-top: 0; }
figure { margin: 1rem 0 1.6rem; min-width: 0; }
figcaption { max-width: 46rem; color: var(--faint); font-size: .9rem; }
img { display: block; max-width: 100%; height: auto; margin: 0 0 .4rem; }
figure.one img { width: 100%; max-width: 36rem; } figure.all img { width: 100%; } figure .wide { margin: 0; }
.settings { columns: 24rem; column-gap: 2.4rem; } .settings > div { break-inside: avoid; }
dl { display: grid; grid-template-columns: minmax(8rem, 14rem) 1fr; gap: .15rem 1rem; font-size: .9rem;
  margin: .3rem 0; }
dt { color: var(--faint); } dd { margin: 0; }
pre { font-size: .8rem; white-space: pre-wrap; background: #f6f8fa; padding: .8rem; }
details { margin: .4rem 0; } summary { cursor: pointer; padding: .3rem 0; }
@media (max-width: 48rem) { figure.all img { width: 44rem; max-width: none; } }
@media (max-width: 30rem) { body { padding: 1rem .8rem 3rem; } h1 { font-size: 1.4rem; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .4rem; } }
@media print { body { max-width: none; padding: 0; font-size: 9.5pt; } .wide { overflow: visible; }
  table { font-size: 6.5pt; } th, td { padding: .1rem .3rem; white-space: normal; }
  figure, .state, tr { break-inside: avoid; } h2, h3 { break-after: avoid; }
  figure.one img { width: 110mm; } details::details-content { content-visibility: visible; height: auto; } }
"""
