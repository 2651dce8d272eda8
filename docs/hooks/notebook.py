"""Shows the notebooks as pages: their text, their code, and what the code printed and drew."""

import re
from pathlib import Path

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

_FOLDER = Path(__file__).parents[1] / "notebooks"
_PRINTED = """{% extends 'markdown/index.md.j2' %}
{%- block stream %}
```text
{{ output.text | trim }}
```
{% endblock stream -%}
"""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds a page for each notebook, and its pictures; the notebook itself is there already."""
    for path in sorted(_FOLDER.glob("*.ipynb")):
        text, pictures = as_markdown(path)
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=text))
        for name, data in pictures.items():
            files.append(File.generated(config, f"notebooks/{name}", content=data))
    return files


def as_markdown(path: Path) -> tuple[str, dict[str, bytes]]:
    """The page of a notebook, and its pictures by the names that the page calls them."""
    notebook = nbformat.read(path, as_version=4)
    told = {"unique_key": path.stem, "output_files_dir": f"{path.stem}_figures"}
    exporter = MarkdownExporter(raw_template=_PRINTED)
    text, resources = exporter.from_notebook_node(notebook, resources=told)
    head, rest = text.split("\n", 1)
    link = f"The notebook itself: [{path.name}]({path.name})."
    text = re.sub(r"!\[png\]", "![what the code above draws]", rest)
    return f"{head}\n\n{link}\n{text}", dict(resources["outputs"])
