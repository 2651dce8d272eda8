"""One file that asks nobody for anything, and shows hostile texts as they are."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from bench.export.html import GENERATOR, as_html
from bench.export.marks import blocks, inline
from bench.export.origin import origin
from bench.report.answer import answer
from bench.report.leaderboard import board
from tests.bench.export.conftest import HOSTILE, SESSION

VOID = {"meta", "input", "img", "br"}
LOADS = {"src", "href", "srcset", "action", "data", "poster", "xlink:href", "background"}


class Read(HTMLParser):
    """What a file is made of; an element that is not closed is an error."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.said, self.own = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        (self.own if self.open[-1:] in (["script"], ["style"]) else self.said).append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.said).split()).replace(" ,", ",")


@pytest.fixture(scope="module")
def page(one):
    return as_html(one, origin([SESSION]), "vaebench export one --format html")


def test_it_holds_the_answer_first_the_leaderboard_and_the_claims(one, page):
    read = Read(page)
    assert GENERATOR in page[:400]
    said = answer(one).replace("`", "")
    assert read.text.index(said) < read.text.index("Leaderboard")
    table = page.split('<table class="sortable"')[1].split("</table>")[0]
    names = re.findall(r'<th scope="row"><code>(.*?)</code>', table)
    assert names == list(board(one.models).order)
    for part in ("What helps?", "What sampling from the prior costs", "Without a result"):
        assert f"{part}</h2>" in page
    assert f" {' '.join(HOSTILE.split())} " in read.text
    assert "commit 9b35fa4 and changes to it" in read.text
    pictures = [v["src"] for tag, v in read.elements if tag == "img"]
    assert len(pictures) >= 3 and all(base64.b64decode(p.partition(",")[2]) for p in pictures)


def test_it_names_no_other_host_but_in_its_text(page):
    read = Read(page)
    for tag, attributes in read.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for name in LOADS & set(attributes):
            assert re.match(r"#[a-z]+$|data:image/png;base64,", attributes[name]), (tag, name)
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert not re.search(r"//|url\(|@import", "".join(read.own))
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for tag, a in read.elements if tag == "a"}
    assert links and links <= set(ids)


def test_its_policy_lets_its_own_script_and_style_run_and_nothing_else(page):
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', page)
    policy = policy.replace("&#39;", "'").replace("&#43;", "+")
    assert "default-src 'none'" in policy
    for tag in ("script", "style"):
        (own,) = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_several_data_sets_share_the_table_and_their_names_are_text(two):
    page = as_html(two, origin([]), "vaebench export two --format html")
    assert '<th scope="col">data</th>' in page
    read = Read(page)
    assert sum(tag == "script" for tag, _ in read.elements) == 1 and HOSTILE in read.text


def test_the_same_results_give_the_same_bytes(one, page):
    assert as_html(one, origin([SESSION]), "vaebench export one --format html") == page


def test_templates_are_part_of_the_package():
    names = {path.name for path in files("bench.export").joinpath("templates").iterdir()}
    assert names == {"page.html", "leaderboard.html", "claims.html", "style.css", "table.js"}


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**a *b** c*", "<strong>a <em>b c</em></strong>"),
        (r"\*a\* \<b\> <i>", "*a* &lt;b&gt; &lt;i&gt;"),
        ("`<&>` [t `x`](u.md)", "<code>&lt;&amp;&gt;</code> t <code>x</code>"),
        (r"\[a\](b) ` odd", "[a](b) ` odd"),
    ],
)
def test_a_line_of_a_page_is_html_of_closed_elements(text, html):
    assert inline(text) == html


def test_blocks_of_a_page_are_html():
    assert blocks("## a & b") == "<h2>a &amp; b</h2>"
    assert blocks("* one\n* `two`") == "<ul><li>one</li><li><code>two</code></li></ul>"
    assert blocks("> a\n>\n> b") == "<blockquote><p>a  b</p></blockquote>"
    assert blocks("") == ""
    table = blocks("| a   |   b |\n|:----|----:|\n| x\\|y | **1** |")
    assert '<th scope="row">x|y</th><td class="n"><strong>1</strong></td>' in table
