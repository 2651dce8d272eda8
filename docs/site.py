"""Puts the README, the results and the notes for contributors into the site beside the pages here.

They stay where a reader of the repository looks for them; so a link that is broken there is an
error of the site, too.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT = Path(__file__).parent.parent
_PATTERNS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "LICENSE",
    "examples/*.*",
    "vaelib/audits/power.csv",
)
_RESULTS = ("*.md", "*/*.md", "*/*.csv", "*/figures/*.png")
_INDEX = "results/README.md"
_OTHERS = {
    "predictors": "What predicts sample quality",
    "validity": "Is the suite right?",
    "conformance": "What not to believe",
    "performance": "Speed",
}
"""Pages of results that are no matrix's, as the navigation calls them."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lists every page of results below Results in the navigation."""
    config["nav"] = [
        {name: results_nav()} if place == _INDEX else {name: place}
        for entry in config["nav"]
        for name, place in entry.items()
    ]
    return config


def results_nav() -> list[dict[str, object]]:
    """The index, each matrix with its claims in the index's order, then what is no matrix."""
    pages = {path.stem: f"results/{path.name}" for path in (_ROOT / "results").glob("*.md")}
    listed = re.findall(r"\]\(([\w-]+)\.md\)", (_ROOT / _INDEX).read_text(encoding="utf-8"))
    order = [*dict.fromkeys(listed), *sorted(pages)]
    names = sorted(pages.keys() - {"README"}, key=order.index)
    nav: list[dict[str, object]] = [{"All": pages["README"]}]
    for name in names:
        if name in _OTHERS or name.removesuffix("-claims") in pages.keys() - {name}:
            continue
        claims = pages.get(f"{name}-claims")
        nav.append(
            {name: pages[name]}
            if claims is None
            else {name: [{name: pages[name]}, {f"{name}: claims": claims}]}
        )
    nav.append({"Interactive tables": "results/tables.md"})
    return nav + [{_OTHERS[name]: pages[name]} for name in names if name in _OTHERS]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the files outside this folder, under the paths that they have in the repository."""
    paths = [path for pattern in _PATTERNS for path in _ROOT.glob(pattern)]
    paths += [path for pattern in _RESULTS for path in (_ROOT / "results").glob(pattern)]
    for path in sorted(paths):
        name = path.relative_to(_ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Makes links between the repository's root and this folder links of the site."""
    name = page.file.src_uri
    own = _ROOT / "docs" / name
    folder = (own if own.is_file() else _ROOT / name).parent
    # a folder has no page: of a link to one the text stays
    markdown = re.sub(
        r"\[([^]]*)\]\(([^):#]+)\)",
        lambda link: link[1] if (folder / link[2]).is_dir() else link[0],
        markdown,
    )
    # a notebook is shown as a page
    markdown = re.sub(r"(\]\([\w/.]*notebooks/\w+)\.ipynb\)", r"\1.md)", markdown)
    if "/" not in name:
        markdown = markdown.replace("](docs/", "](").replace("](../", "](")
        markdown = markdown.replace("](.github/workflows/check.yml)", "](ci.md)")
    return markdown
