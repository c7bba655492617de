"""The tables are made from what the lists say, and only where that is clear."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.explain.naming.packages import Entry, find
from tools.debian_index import read
from tools.packages_table import Debian, Judge, main

PACKAGES = """\
Package: rrdcached
Source: rrdtool
Section: utils
Description: data caching daemon for RRDtool

Package: hd-idle
Section: admin
Description: Spin down idle [USB] hard disks

Package: frob-utils
Section: misc
Description: utilities for frobs

Package: backup-game
Section: games
Description: backup tool for a game

Package: artemis
Section: science
Description: genome browser and annotation tool

Package: llvm-19
Section: devel
Description: Modular compiler and toolchain technologies

Package: evolution-data-server
Section: gnome
Tag: suite::gnome
Description: evolution database backend server

Package: one
Section: sound
Description: music player

Package: two
Section: httpd
Description: web server
"""
CONTENTS = """\
usr/bin/rrdcached                 utils/rrdcached
usr/sbin/hd-idle                  admin/hd-idle
usr/bin/frob                      misc/frob-utils
usr/bin/act                       science/artemis
usr/bin/artemis                   science/artemis
usr/bin/server                    httpd/two
usr/bin/llvm-ar-19                devel/llvm-19
usr/bin/both-of-them              sound/one,httpd/two
usr/libexec/evolution-calendar-factory gnome/evolution-data-server
usr/libexec/read                  gnome/evolution-data-server
usr/lib/systemd/system/rrdcached.service utils/rrdcached
usr/lib/systemd/system/spin-down@.service admin/hd-idle
usr/share/doc/x                   sound/one
"""


@pytest.fixture
def index(tmp_path: Path) -> tuple[Path, Path]:
    packages, contents = tmp_path / "Packages", tmp_path / "Contents"
    packages.write_text(PACKAGES)
    contents.write_text(CONTENTS)
    return packages, contents


def test_a_program_is_entered_where_its_package_says_clearly_what_it_is(
    index: tuple[Path, Path],
) -> None:
    read_index = read([index[0]], [index[1]])
    assert Debian(read_index, Judge.read(read_index)).entries == {
        "artemis": ("ai", ""),
        "evolution-calendar-factory": ("desktop", "evolution-data-server"),
        "hd-idle": ("system", ""),
        "llvm-ar": ("development", "llvm-19"),
        "rrdcached": ("monitoring", ""),
        "spin-down.service": ("system", "hd-idle"),
    }


def test_the_table_is_written_and_told_how_good_it_is(
    index: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table.tsv"
    words = ["packages", str(tmp_path), "--date", "2026-01-02", "--output", str(table)]
    assert main([*words, "--packages", str(index[0]), "--contents", str(index[1])]) == 0
    assert "as of 2026-01-02" in table.read_text()
    assert find(table, "hd-idle") == Entry("hd-idle", "system", "hd-idle")
    assert find(table, "spin-down.service") == Entry("spin-down.service", "system", "hd-idle")
    told = capsys.readouterr().out
    assert told.startswith("category")
    assert f"{table}: 6 names" in told


def test_applications_are_entered_by_their_tags(tmp_path: Path) -> None:
    software = tmp_path / "awesome-selfhosted-data" / "software"
    software.mkdir(parents=True)
    (software / "a.yml").write_text(
        "name: Frob Photos\ntags: [Photo Galleries]\n"
        "source_code_url: https://git.example/frob/frob-photos-server/\n"
    )
    (software / "b.yml").write_text(
        "name: Wiki\ntags: [Wikis]\nsource_code_url: https://git.example/x/tracker\n"
    )
    (software / "c.yml").write_text("name: Mixed One\ntags: [Wikis, Backup]\n")
    table = tmp_path / "table.tsv"
    words = ["applications", str(tmp_path), "--date", "2026-01-02", "--output", str(table)]
    assert main(words) == 0
    for name in ("frobphotos", "frob-photos", "frob-photos-server"):
        assert find(table, name) == Entry(name, "media", name)
    for name in ("wiki", "tracker", "mixedone"):
        assert find(table, name) is None
