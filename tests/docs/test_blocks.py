"""What README and docs show is so: files load, commands run, servers answer."""

import re
from pathlib import Path

import pytest

from tests.docs.page import blocks
from tests.docs.sites import ROOT, Site, make_venv
from tests.docs.telling import Telling, languages

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "plugins").glob("*/README.md")),
]
BLOCKS = [block for page in PAGES for block in blocks(page)]
TOLD = [page for page in PAGES if any(block.page == page for block in BLOCKS)]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="session")
def venv(tmp_path_factory):
    return make_venv(tmp_path_factory.mktemp("docs") / "venv")


@pytest.mark.timeout(900)  # a page starts a dozen processes
@pytest.mark.parametrize("page", TOLD, ids=name)
def test_a_page_is_true(page, tmp_path, venv):
    """Its blocks, in order, do what the page says that they do."""
    telling = Telling(page, Site(tmp_path / "site", venv))
    try:
        telling.tell()
    finally:
        telling.close()


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_is_of_a_language_that_is_run(block):
    assert block.language in languages()


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if "not run" in block.marks], ids=str
)
def test_a_block_that_is_not_run_says_why(block):
    assert len(block.marks["not run"].split()) > 2


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_links_to_what_is_there(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text)

    for target, anchor in links:
        there = page.parent / target if target else page
        assert there.exists(), f"{name(page)} links to {target}"
        if anchor:
            assert anchor in anchors(there), f"{name(page)} links to {target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """Give the anchors that headings get, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), flags=re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_names_nothing_of_one_machine(page):
    assert not re.search(r"/root/|/home/\w|/tmp/", page.read_text(encoding="utf-8"))
