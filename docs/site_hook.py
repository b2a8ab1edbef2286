"""Brings pages that stand outside docs/ into the site, and turns the links to them and from them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {
    "infra/README.md": "infra.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "reporting.md",
}
"""Where each stands, and what it is called in the site."""
LINK = re.compile(r"(?<=\]\()([^)#\s]+\.md)(?=[)#])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside."""
    from mkdocs.structure.files import File

    for path, name in OUTSIDE.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Every link as it reads from where the page is in the site."""
    stands = {name: path for path, name in OUTSIDE.items()}
    uri = page.file.src_uri
    source = ROOT / stands.get(uri, f"docs/{uri}")
    return LINK.sub(lambda link: turned(link[1], source, uri), markdown)


def turned(link: str, source: Path, uri: str) -> str:
    """A link of the file `source`, as the page `uri` has to say it; addresses elsewhere stay as they are."""
    if "://" in link:
        return link
    target = (source.parent / link).resolve().relative_to(ROOT).as_posix()
    name = OUTSIDE.get(target, target.removeprefix("docs/"))
    return "../" * uri.count("/") + name
