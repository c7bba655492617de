"""Catalogues are read in the forms that they are published in, and have a vote each."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from publisher.contract.readings import CATEGORIES
from publisher.explain.naming.packages import Entry, find
from tools.catalogues import Catalogue, Item, read
from tools.packages_table import main

CNCF = """\
landscape:
  - name: Runtime
    subcategories:
      - name: Cloud Native Network
        items:
          - {name: Frob Net, repo_url: "https://github.com/frob/frobnet", description: a network}
      - name: Empty
        items:
"""
APPSTREAM = """\
---
File: DEP-11
---
Type: desktop-application
ID: org.frob.Viewer.desktop
Categories: [GTK, Graphics, Utility]
Summary: {C: Looks at frobs}
Provides: {binaries: [frobview]}
---
Type: font
ID: org.frob.Sans
"""
EASYBUILD = """\
sanity_check_paths = {'files': ['bin/frobalign', 'bin/frobmap'], 'dirs': []}
moduleclass = 'bio'
"""
UNRAID = """\
<Container><Name>Frob Game</Name><Repository>ghcr.io/x/frob-game:latest</Repository>
<Overview>Plays &amp;amp; saves.[br]More</Overview>
<Category>GameServers: Tools:Utilities Status:Stable</Category></Container>
"""
FILES = {
    "awesome-selfhosted-data/software/a.yml": (
        "name: Frob Wiki\ntags: [Wikis]\ndescription: pages of frobs\n"
    ),
    "yunohost/apps.toml": '[frobwiki]\ncategory = "publishing"\nsubtags = ["wiki"]\n',
    "portainer/templates.json": json.dumps(
        {
            "templates": [
                {"name": "frobwiki", "image": "x/frobwiki:1", "categories": ["Wiki", "Cms"]},
                {"name": "frobmix", "categories": ["Backup", "Cms"], "description": "all sorts"},
            ]
        }
    ),
    "unraid/containerStats.json": json.dumps({"x/frobmusic": {"Category": ["MediaServer-Music"]}}),
    "unraid-templates/a/b.xml": UNRAID,
    "cncf/landscape.yml": CNCF,
    "sysadmin/README.md": (
        "## Software\n### Backups\n- [Frobsave](https://github.com/frob/frobsave/) - Saves."
        " ([Source Code](https://x)) `MIT`\n"
    ),
    "cli-apps/data/apps.csv": (
        "category,name,homepage,git,description\nmusic,frobtune,,https://github.com/f/x,plays\n"
    ),
    "easybuild/easybuild/easyconfigs/f/FrobBio/FrobBio-1.eb": EASYBUILD,
    "slackbuilds/network/frobirc/slack-desc": (
        "frobirc: frobirc (IRC client)\nfrobirc:\nfrobirc: It chats.\n"
    ),
    "cports/main/frobtop/template.py": 'pkgname = "frobtop"\npkgdesc = "System monitor"\n',
    "scoop/bucket/broken.json": "{",
    "am/programs/x86_64-apps": "\u25c6 frobplay : Audio player, plays music.\n",
    "amp/frobgame.kvp": (
        "App.ExecutableWin=1\\\\Bin\\\\FrobServer-Win64.exe\nApp.ExecutableLinux=x\n"
    ),
    "eggs/a/egg.json": json.dumps({"name": "Frob", "startup": "./FrobDedicated.x86_64 -a {{B}}"}),
    "openwrt/net/frobvpn/Makefile": (
        "define Package/frobvpn\n  SUBMENU:=VPN\n  TITLE:=tunnels\nendef\n"
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (tmp_path / "appstream").mkdir()
    (tmp_path / "appstream/c.gz").write_bytes(gzip.compress(APPSTREAM.encode()))
    return tmp_path


def entered(folder: Path, what: str) -> dict[str, str]:
    table = folder / f"{what}.tsv"
    assert main([what, str(folder), "--date", "2026-01-02", "--output", str(table)]) == 0
    names = [line.split("\t")[0] for line in table.read_text().splitlines() if line[0] != "#"]
    entries = [entry for name in names if (entry := find(table, name)) is not None]
    return {entry.name: entry.category for entry in entries}


def test_applications_are_entered_by_what_catalogues_call_them(folder: Path) -> None:
    assert entered(folder, "applications") == {
        "frob-wiki": "web",
        "frobwiki": "web",
        "frobmusic": "media",
        "frob-game": "gaming",
        "frobgame": "gaming",
        "frob-net": "virtualization",
        "frobnet": "virtualization",
        "frobsave": "backup",
    }


def test_programs_are_entered_by_kind_and_description(folder: Path) -> None:
    assert entered(folder, "programs") == {
        "frobalign": "ai",
        "frobbio": "ai",
        "frobgame": "gaming",
        "frobirc": "desktop",
        "frobmap": "ai",
        "frobplay": "media",
        "frobserver-win64": "gaming",
        "frobtop": "monitoring",
        "frobtune": "media",
        "frobview": "media",
        "frobvpn": "remote_access",
    }


def test_where_catalogues_disagree_nothing_is_said(folder: Path) -> None:
    (folder / "sysadmin/README.md").write_text(
        "## Software\n### Backups\n- [frobwiki](https://example.org) - Saves.\n"
        "### VPN\n- [frobmusic](https://example.org)\n"
    )
    table = folder / "t.tsv"
    assert main(["applications", str(folder), "--date", "x", "--output", str(table)]) == 0
    assert find(table, "frobmusic") is None
    assert find(table, "frobwiki") == Entry("frobwiki", "web", "frobwiki")  # three to one


def test_every_meaning_is_a_category(folder: Path) -> None:
    catalogues = list(read(folder))
    assert len(catalogues) >= 15
    for catalogue in catalogues:
        for meaning in catalogue.meanings.values():
            for category in filter(None, meaning.rstrip("?").split("|")):
                assert category in CATEGORIES


@pytest.mark.parametrize(
    ("kinds", "must_agree", "meaning"),
    [
        (("b",), False, "web"),
        (("b", "a"), False, "media"),
        (("b", "a"), True, ""),
        (("games/cards",), False, "gaming"),
        (("other",), False, ""),
    ],
)
def test_the_kind_that_stands_first_counts(
    kinds: tuple[str, ...], must_agree: bool, meaning: str
) -> None:
    meanings = {"a": "media", "b": "web", "games*": "gaming"}
    catalogue = Catalogue("x", programs=False, must_agree=must_agree, meanings=meanings, items=())
    assert catalogue.meaning(Item(("frob",), kinds)) == meaning
