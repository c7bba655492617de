"""Virtual machines and containers under the name that their owner gave them."""

from __future__ import annotations

import pytest
from processes.harness import Stage

pytestmark = pytest.mark.processes


def test_a_virtual_machine_of_proxmox_is_no_number(stage: Stage) -> None:
    kvm = stage.start(
        stage.burner("kvm"), "-id", "9971", "-name", "truenas,debug-threads=on", "-no-shutdown",
        within="qemu.slice/9971.scope",
    )  # fmt: skip
    answer = stage.ask(kvm)
    assert (answer.kind, answer.group) == ("container", "truenas")


def test_a_virtual_machine_that_a_service_keeps_is_its_own(stage: Stage) -> None:
    qemu = stage.start(
        stage.installed("qemu-system-x86_64"), "-S", "-name", "win11", "-uuid", "1",
        within="system.slice/incus.service",
    )  # fmt: skip
    answer = stage.ask(qemu)
    assert answer.group == "win11"
    assert answer.category == "virtualization"


def test_a_container_of_podman_is_known_by_its_monitor(stage: Stage) -> None:
    identity = "ab12cd34" * 8
    monitor = stage.start(
        stage.burner("conmon"), "--api-version", "1", "-c", identity, "-n", "media",
        runs=str(stage.burner("worker")), within=f"machine.slice/libpod-{identity}.scope",
    )  # fmt: skip
    answer = stage.ask(stage.descendant(monitor, "worker"))
    assert (answer.kind, answer.group) == ("container", "media")
