"""What was, from an archive, as its users ask for it: the commands, the files that they write."""

from __future__ import annotations

import csv
import dataclasses
import importlib
import io
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree as ET

import pytest
from archive_parties import event, timeline
from typer.testing import CliRunner, Result

from publisher.contract.payload import rfc3339
from publisher.contract.timeline import PastAlertReading, SeriesReading, TimelineReading
from subscriber_cli.archive.writer import Writer
from subscriber_cli.command_line import app
from subscriber_cli.render import web_page
from subscriber_cli.render.drawing import Drawing, curves_of

Put = Callable[..., None]
Run = Callable[..., Result]
EVIL = '<script src="http://evil.example/x.js">alert(1)</script>\x1b[31m'


@pytest.fixture(autouse=True)
def then(monkeypatch: pytest.MonkeyPatch, now: float) -> Iterator[None]:
    """It is ``now``, in UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def run(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command on the archive."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("FANWHY_RECORD__DATABASE", str(path))

    def one(*words: str) -> Result:
        return CliRunner().invoke(app, [*words])

    return one


@pytest.fixture
def night(put: Put, cpu: Callable[[float], Any], now: float) -> None:
    """A night in the archive: a backup, an alert, an evil name."""
    series = SeriesReading(
        began=rfc3339(now - 3600), step_seconds=60, cpu_percent=[5.0] * 30 + [90.0] * 30,
        cpu_temperature_celsius=[40.0] * 30 + [70.0] * 30,
    )  # fmt: skip
    told = timeline(
        now, causes=[("Restic backup", now - 1800, now - 60, "restic")], series=(series,)
    )
    alert = PastAlertReading(
        alert="disk_full", severity="critical", label="/", message=EVIL, began=rfc3339(now - 900)
    )
    put("timeline", dataclasses.replace(told, alerts=(alert,)), at=now)
    put("cpu", cpu(10.0), at=now - 600, came=now - 600)
    put("cpu", cpu(20.0), at=now - 300, came=now - 300)
    put("event", event("a-1", now), at=now)


def test_history_is_drawn_from_the_archive(night: None, run: Run) -> None:
    done = run("history", "--since", "2 h ago")
    assert done.exit_code == 0, done.output
    assert "Restic backup · 80 % cpu" in done.output
    assert "70 °C" in done.output
    assert "ALERT" in done.output
    assert "\x1b" not in done.output


def test_any_value_can_be_drawn_beside(night: None, run: Run) -> None:
    done = run("history", "--since", "2 h ago", "--metric", "cpu/*")
    assert "cpu/usage_percent" in done.output
    assert done.exit_code == 0
    wrong = run("history", "--metric", "cpu/usage")
    assert wrong.exit_code != 0
    assert "near are cpu/usage_percent" in str(wrong.exception)


def test_the_verdict_of_a_moment_is_from_the_archive_however_long_ago(
    night: None, run: Run, monkeypatch: pytest.MonkeyPatch, now: float
) -> None:
    monkeypatch.setattr(time, "time", lambda: now + 90 * 86400)
    done = run("why", "--at", rfc3339(now - 900), "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert (told["recorded"], told["causes"][0]["label"]) == (True, "Restic backup")
    assert told["measured"]["cpu_temperature_celsius"] == 70

    nothing = run("why", "--at", rfc3339(now + 30 * 86400))
    assert nothing.exit_code != 0
    assert "nothing was recorded: the memory ends at" in nothing.output


def test_a_host_that_nobody_knows_is_one_line(night: None, run: Run, path: Path) -> None:
    for command in ("history", "report"):  # of an archive that is named
        done = run(command, "nobody", "--database", str(path))
        assert str(done.exception) == f"{path}: nothing is kept of nobody"


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANWHY_BROKER", "mqtt://127.0.0.1:1")


def test_an_archive_that_ends_too_soon_is_read_where_the_broker_does_not_answer(
    night: None, no_broker: None, run: Run, monkeypatch: pytest.MonkeyPatch, now: float
) -> None:
    monkeypatch.setattr(time, "time", lambda: now + 7200)
    done = run("history", "--since", "4 h ago", "--timeout", "0.3")
    assert done.exit_code == 0, done.exception
    assert "Restic backup" in done.output


def test_the_broker_is_asked_for_a_host_that_the_archive_does_not_know(
    night: None, no_broker: None, run: Run
) -> None:
    done = run("history", "other", "--timeout", "0.3")
    assert "127.0.0.1:1" in str(done.exception)


def test_where_there_is_neither_archive_nor_folder_the_broker_is_asked(
    no_broker: None, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FANWHY_RECORD__DATABASE")
    monkeypatch.setattr("subscriber_cli.archive.schema.state_dir", lambda: None)
    done = run("history", "--timeout", "0.3")
    assert "127.0.0.1:1" in str(done.exception)


def test_values_go_out_as_csv(night: None, run: Run, tmp_path: Path) -> None:
    done = run("history", "--since", "2 h ago", "--metric", "cpu/usage_percent", "--step", "0",
               "--csv", "-")  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["host"], row["metric"], row["unit"], row["mean"]) for row in rows] == [
        ("nas", "cpu/usage_percent", "%", "10.0"), ("nas", "cpu/usage_percent", "%", "20.0"),
    ]  # fmt: skip
    file = tmp_path / "x.csv"
    assert run("history", "--csv", str(file)).exit_code == 0
    assert file.read_text().count("timeline/cpu_percent") == 60


def test_words_go_out_as_words_and_formulas_do_not(
    put: Put, run: Run, explanation: Any, now: float
) -> None:
    put("explanation", explanation, at=now)
    put("=cmd", {"host": "nas", "time": rfc3339(now), "x": 1}, at=now)
    done = run("history", "--since", "2 h ago", "--metric", "*", "--step", "0", "--csv", "-")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    (state,) = (row for row in rows if row["metric"] == "explanation/state")
    assert (state["low"], state["mean"]) == ("", "busy")
    assert "'=cmd/x" in {row["metric"] for row in rows}


def test_values_go_out_as_json(night: None, run: Run) -> None:
    done = run("history", "--since", "2 h ago", "--metric", "cpu/*", "--step", "0", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["mean"] for row in rows] == [10.0, 20.0]


def test_without_pyarrow_it_is_said_what_to_install(
    night: None, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    done = run("history", "--parquet", str(tmp_path / "x"))
    assert str(done.exception) == (
        "--parquet: needs pyarrow; install it with: pip install 'fanwhy[parquet]'"
    )


def test_values_go_out_as_parquet(night: None, run: Run, tmp_path: Path) -> None:
    assert run("history", "--parquet", str(tmp_path / "x")).exit_code == 0
    parquet: Any = importlib.import_module("pyarrow.parquet")
    assert parquet.read_table(tmp_path / "x").num_rows == 120


def test_a_night_goes_out_as_a_picture(night: None, run: Run, tmp_path: Path) -> None:
    done = run("history", "--png", str(tmp_path / "x"))
    if "there is no font here" in str(done.exception):
        pytest.skip("no font is installed")
    assert done.exit_code == 0, done.exception
    picture = (tmp_path / "x").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert int.from_bytes(picture[16:20], "big") == 1920  # PNG specification, 11.2.1
    assert len(set(picture)) > 100  # something is in it


def test_a_picture_without_words_is_none(
    night: None, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fontless = SimpleNamespace(svg_to_bytes=lambda **_: b"as if there were no text")
    monkeypatch.setitem(sys.modules, "resvg_py", cast("ModuleType", fontless))
    done = run("history", "--png", str(tmp_path / "x"))
    assert str(done.exception).startswith("--png: there is no font here; install one")
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    done = run("history", "--png", str(tmp_path / "x"))
    assert (
        str(done.exception) == "--png: needs resvg-py; install it with: pip install 'fanwhy[png]'"
    )
    assert not (tmp_path / "x").exists()


def test_a_drawing_for_those_who_know_no_style_sheets_has_its_colours(now: float) -> None:
    drawing = Drawing("nas", timeline(now), now - 3600, now)
    assert "var(" in drawing.svg()
    plain = drawing.svg(plain=True)
    assert ET.fromstring(plain).tag.endswith("svg")
    assert "fill:#c98a04" in plain
    assert not re.search(r"var\(|@media|--", plain)


def test_a_file_that_cannot_be_written_is_one_line(night: None, run: Run, tmp_path: Path) -> None:
    for option in ("--csv", "--html", "--svg"):
        done = run("history", option, str(tmp_path / "nowhere" / "x"))
        assert str(done.exception).endswith("No such file or directory")


def test_one_kind_of_file_at_a_time(night: None, run: Run) -> None:
    done = run("history", "--csv", "a", "--html", "b")
    assert "one at a time" in str(done.exception)


class Loads(HTMLParser):
    """What a browser would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "embed", "form", "base"):
            self.found.append(tag)
        for name, value in attrs:
            is_link = name in ("src", "href", "xlink:href", "srcset", "data", "action")
            if name.startswith("on") or (is_link and value and not value.startswith("data:")):
                self.found.append(f"{tag} {name}={value}")


def test_the_page_loads_nothing_and_runs_nothing(night: None, run: Run, tmp_path: Path) -> None:
    for command in (("history", "--since", "2 h ago"), ("report",)):
        file = tmp_path / "x.html"
        assert run(*command, "--html", str(file)).exit_code == 0
        text = file.read_text()
        loads = Loads()
        loads.feed(text)
        assert loads.found == []
        assert "url(" not in text
        assert "@import" not in text
        assert "default-src &#x27;none&#x27;" in text or "default-src 'none'" in text
        assert "Restic backup" in text
        assert "prefers-color-scheme:dark" in text
        assert "\x1b" not in text


def test_the_drawing_is_sound_xml_and_tells_of_everything(
    night: None, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "x.svg"
    assert run("history", "--since", "2 h ago", "--svg", str(file)).exit_code == 0
    root = ET.fromstring(file.read_text())  # our own
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "Restic backup" in texts
    assert len(list(root.iter("{http://www.w3.org/2000/svg}path"))) == 2
    assert {each.tag.rpartition("}")[2] for each in root.iter()} <= {
        "svg", "style", "rect", "title", "line", "text", "path",
    }  # fmt: skip


def test_a_drawing_bears_what_makes_no_sense(now: float) -> None:
    hostile = TimelineReading(
        since="x",
        causes=timeline(now, causes=[(EVIL, now + 1e9, now - 1e9)]).causes,
        series=(SeriesReading(began=rfc3339(now), step_seconds=1e12, cpu_percent=[1e308, 0.0]),),
    )
    drawing = Drawing(EVIL, hostile, now, now, curves_of(hostile))
    ET.fromstring(drawing.svg().replace("\x1b", ""))  # our own
    assert "<script" not in drawing.svg()
    assert "<script" not in web_page.page(
        EVIL, [web_page.figure(drawing), web_page.table((EVIL,), [(EVIL,)])]
    )


def test_without_an_archive_a_report_says_what_makes_one(run: Run, path: Path) -> None:
    done = run("report")
    assert str(done.exception) == f"{path}: there is no archive; `fanwhy-sub record` makes one"


def test_the_bill_is_told(night: None, run: Run) -> None:
    done = run("report", "--day")
    assert done.exit_code == 0, done.output
    assert re.search(r"Of \d+ minutes that are known", done.output)
    assert run("report", "--json").stdout.startswith('{"host": "nas"')
    assert "one at a time" in str(run("report", "--day", "--week").exception)


def test_what_nobody_heard_is_said_to_be_told_later(
    night: None, run: Run, writer: Writer, put: Put, now: float
) -> None:
    writer.resume(now + 40, "recorder")
    put("timeline", timeline(now + 50), at=now + 50)
    assert "told later by the host itself" in run("history", "--since", "1 h ago").output
