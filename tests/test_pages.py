"""The pages of docs: each object stands on its page, and what they link to is there."""

from __future__ import annotations

import re
from pathlib import Path

import proxstep as ps
import pytest

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(
    not (ROOT / "docs").is_dir(), reason="a source distribution has no docs"
)
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


def objects(kinds: tuple[type, ...]) -> list[str]:
    """The public names of these kinds, but for the kinds themselves."""
    found = {name: getattr(ps, name) for name in ps.__all__}
    return [
        name
        for name, kept in found.items()
        if isinstance(kept, type) and issubclass(kept, kinds) and kept not in kinds
    ]


@pytest.mark.parametrize(
    ("page", "kinds"),
    [
        ("penalties.md", (ps.Penalty, ps.Projection)),
        ("rules.md", (ps.Rule,)),
        ("solve.md", (ps.Problem,)),
    ],
)
def test_each_object_stands_on_its_page(page: str, kinds: tuple[type, ...]) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    absent = [name for name in objects(kinds) if not re.search(rf"[` ]{name}[`(]", text)]
    assert len(objects(kinds)) > 4
    assert not absent


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        aim = page.parent / target if target else page
        assert aim.exists(), f"{target} is not there"
        assert not anchor or anchor in anchors(aim), f"{aim.name} has no heading {anchor}"
