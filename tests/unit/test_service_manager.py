"""``service install``, ``remove`` and ``status``: what is written, asked of systemd, and said."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from publisher.errors import FanwhyError
from publisher.service.manager import Service
from publisher.service.unit import for_system, for_user, shipped


class Machine:
    """A root folder, and a systemd that does as it is told and remembers what."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[str] = []
        self.says: dict[str, str] = {"is-active": "active", "show": "connected to mqtt://nas:1883"}
        self.refuses: dict[str, str] = {}
        self.program = root / "usr/bin/fanwhy-pub"
        self.program.parent.mkdir(parents=True)
        self.program.touch()
        (root / "run/systemd/system").mkdir(parents=True)

    def service(self, *, system: bool = True, name: str = "fanwhy-pub") -> Service:
        return Service(name, system, root=self.root, home=self.root / "home/me", run=self._run)

    def _run(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.asked.append(" ".join(words[1:]))
        verb = next(word for word in words[1:] if not word.startswith("-"))
        failed = self.refuses.get(verb, "")
        return subprocess.CompletedProcess(words, bool(failed), self.says.get(verb, ""), failed)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    # Whoever may not pass pytest's own folders is not what is tried here.
    monkeypatch.setattr("publisher.service.manager._passable", lambda _: None)
    return Machine(tmp_path)


def test_a_service_of_the_system_is_written_enabled_and_started(machine: Machine) -> None:
    service = machine.service()
    said = service.install(machine.program)

    unit = (machine.root / "etc/systemd/system/fanwhy-pub.service").read_text()
    assert f"ExecStart={machine.program} run\n" in unit
    assert "\n#LoadCredential=" in unit
    assert machine.asked[:3] == ["daemon-reload", "enable fanwhy-pub", "restart fanwhy-pub"]
    assert said.splitlines() == [
        f"installed {service.path}",
        "fanwhy-pub is active: connected to mqtt://nas:1883",
    ]
    assert service.status() == (0, "fanwhy-pub is active: connected to mqtt://nas:1883")


def test_the_brokers_password_is_handed_on_where_there_is_one(machine: Machine) -> None:
    (machine.root / "etc/fanwhy").mkdir(parents=True)
    (machine.root / "etc/fanwhy/broker-password").touch()
    assert "\nLoadCredential=" in machine.service().content(machine.program)


def test_a_user_has_one_without_what_takes_root(machine: Machine) -> None:
    service = machine.service(system=False)
    said = service.install(machine.program)

    unit = (machine.root / "home/me/.config/systemd/user/fanwhy-pub.service").read_text()
    assert "WantedBy=default.target" in unit
    assert "Type=notify" in unit
    assert not {"DynamicUser", "CapabilityBoundingSet", "After"} & set(
        unit.replace("=", "\n").split()
    )
    assert machine.asked[0] == "--user daemon-reload"
    assert "loginctl enable-linger" in said


def test_what_is_removed_says_what_it_leaves(machine: Machine) -> None:
    service = machine.service()
    service.install(machine.program)
    said = service.remove()

    assert not service.path.exists()
    assert "disable --now fanwhy-pub" in machine.asked
    assert "/etc/fanwhy" in said
    assert service.status()[0] == 4
    with pytest.raises(FanwhyError, match="fanwhy-pub is not installed: there is no "):
        service.remove()


def test_one_that_does_not_run_says_who_knows_why(machine: Machine) -> None:
    service = machine.service()
    service.install(machine.program)
    machine.says["is-active"] = "failed"
    assert service.status() == (3, "fanwhy-pub is failed; journalctl -u fanwhy-pub says why")


def test_without_systemd_nothing_is_written(machine: Machine) -> None:
    (machine.root / "run/systemd/system").rmdir()
    service = machine.service()
    with pytest.raises(FanwhyError, match=r"not run by systemd; docs/service\.md"):
        service.install(machine.program)
    assert not service.path.exists()


def test_what_systemd_refuses_is_one_line(machine: Machine) -> None:
    machine.refuses["enable"] = "Failed to enable: no\nand more"
    with pytest.raises(FanwhyError, match=r"^systemctl enable fanwhy-pub: Failed to enable: no$"):
        machine.service().install(machine.program)


def test_somebody_elses_unit_is_left_alone(machine: Machine) -> None:
    service = machine.service()
    service.path.parent.mkdir(parents=True)
    service.path.write_text("[Service]\nExecStart=/bin/true\n")
    with pytest.raises(FanwhyError, match="somebody else's"):
        service.install(machine.program)


def test_a_program_that_its_user_cannot_reach_is_told_before(tmp_path: Path) -> None:
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    service = Service("fanwhy-pub", system=True, root=tmp_path, run=lambda _: SimpleNamespace())  # type: ignore[arg-type,return-value]
    with pytest.raises(FanwhyError, match="who may not pass "):
        service.content(closed / "fanwhy-pub")


@pytest.mark.parametrize("name", ["fanwhy-pub", "fanwhy-sub"])
def test_a_path_is_written_as_systemd_reads_it(name: str) -> None:
    for unit in (
        for_system(name, Path("/opt/my 100%/x"), credential=False),
        for_user(name, Path("/opt/my 100%/x")),
    ):
        assert 'ExecStart="/opt/my 100%%/x" ' in unit
    assert "Type=notify" in shipped(name)
