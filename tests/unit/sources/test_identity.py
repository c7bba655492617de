from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import pytest

from publisher.sources.files import KernelFiles
from publisher.sources.identity import describe, machine_id, virtualization

_ID = "0123456789abcdef0123456789abcdef"


def _tree(root: Path, files: dict[str, str]) -> KernelFiles:
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return KernelFiles(root)


def test_machine_id_is_published_only_through_a_keyed_hash(tmp_path: Path) -> None:
    files = _tree(tmp_path / "root", {"/etc/machine-id": f"{_ID}\n"})
    found = machine_id(files, str(tmp_path / "state"))
    assert found == hmac.new(b"fanwhy", _ID.encode(), hashlib.sha256).hexdigest()[:32]
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("content", ["", "uninitialized\n", "not an id\n"])
def test_a_machine_without_identity_gets_one_and_keeps_it(tmp_path: Path, content: str) -> None:
    files = _tree(tmp_path / "root", {"/etc/machine-id": content})
    first = machine_id(files, str(tmp_path / "state"))
    assert len(first) == 32
    assert machine_id(files, str(tmp_path / "state")) == first
    assert machine_id(files, str(tmp_path / "other")) != first


def test_where_nothing_can_be_kept_the_name_has_to_do(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    files = _tree(tmp_path / "root", {})
    assert machine_id(files, str(blocked / "state")) == machine_id(files, str(blocked / "state"))


_VM = "flags\t\t: fpu hypervisor lahf_lm\n"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"/proc/cpuinfo": "flags : fpu\n", "/sys/class/dmi/id/sys_vendor": "ASUS\n"}, None),
        ({"/proc/cpuinfo": _VM}, "virtual machine"),
        ({"/proc/cpuinfo": _VM, "/sys/class/dmi/id/sys_vendor": "QEMU\n"}, "qemu"),
        (
            {
                "/proc/cpuinfo": _VM,
                "/sys/class/dmi/id/sys_vendor": "QEMU\n",
                "/sys/class/dmi/id/product_name": "KVM Virtual Machine\n",
            },
            "kvm",
        ),
        ({"/sys/class/dmi/id/sys_vendor": "VMware, Inc.\n"}, "vmware"),
        ({"/sys/class/dmi/id/sys_vendor": "innotek GmbH\n"}, "oracle"),
        (
            {
                "/proc/cpuinfo": _VM,
                "/sys/class/dmi/id/sys_vendor": "Microsoft Corporation\n",
                "/sys/class/dmi/id/product_name": "Virtual Machine\n",
            },
            "microsoft",
        ),
        ({"/proc/cpuinfo": _VM, "/sys/class/dmi/id/sys_vendor": "Amazon EC2\n"}, "amazon"),
        ({"/sys/class/dmi/id/sys_vendor": "Amazon EC2\n"}, None),
        ({"/sys/firmware/devicetree/base/hypervisor/compatible": "linux,kvm\0"}, "kvm"),
        ({"/sys/hypervisor/type": "xen\n", "/proc/cpuinfo": _VM}, "xen"),
        ({"/proc/xen/capabilities": "control_d\n", "/proc/cpuinfo": _VM}, None),
        ({"/proc/sys/kernel/osrelease": "5.15.90.1-microsoft-standard-WSL2\n"}, "wsl"),
        ({"/run/systemd/container": "lxc\n"}, "lxc"),
        ({"/run/.containerenv": "", "/proc/cpuinfo": _VM}, "podman on virtual machine"),
        ({"/.dockerenv": ""}, "docker"),
        ({"/proc/1/environ": "PATH=/bin\0container=systemd-nspawn\0"}, "systemd-nspawn"),
        ({"/proc/1/cgroup": "0::/docker/0a1b\n"}, "docker"),
        ({"/proc/1/cgroup": "0::/init.scope\n"}, None),
    ],
)
def test_what_the_machine_runs_in(tmp_path: Path, files: dict[str, str], found: str | None) -> None:
    assert virtualization(_tree(tmp_path, files)) == found


def test_facts(tmp_path: Path) -> None:
    topology = "/sys/devices/system/cpu/{}/topology/thread_siblings_list"
    _tree(
        tmp_path,
        {
            "/etc/machine-id": _ID,
            "/etc/os-release": 'NAME=Debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
            "/proc/cpuinfo": "processor\t: 0\nmodel name\t: Intel(R) Core(TM)   i5-8500\n",
            "/proc/meminfo": "MemTotal:       16000000 kB\nMemFree: 1 kB\n",
            "/proc/stat": "cpu  1 2 3 4\nbtime 1700000000\n",
            topology.format("cpu0"): "0,2\n",
            topology.format("cpu1"): "1,3\n",
            topology.format("cpu2"): "0,2\n",
            topology.format("cpu3"): "1,3\n",
        },
    )
    found = describe(KernelFiles(tmp_path), str(tmp_path / "state"))
    assert found.operating_system == "Debian GNU/Linux 12 (bookworm)"
    assert found.cpu_model == "Intel(R) Core(TM) i5-8500"
    assert found.memory_total_bytes == 16_384_000_000
    assert found.boot_time == "2023-11-14T22:13:20.000Z"
    assert found.physical_cores == 2
    assert found.virtualization is None


def test_a_board_names_its_processor_where_x86_does_not(tmp_path: Path) -> None:
    _tree(tmp_path, {"/proc/cpuinfo": "Hardware : BCM2835\nModel : Raspberry Pi 4 Model B\n"})
    assert (
        describe(KernelFiles(tmp_path), str(tmp_path / "state")).cpu_model
        == "Raspberry Pi 4 Model B"
    )


@pytest.mark.parametrize(
    ("dmi", "maker", "model"),
    [
        ({"sys_vendor": "HP", "product_name": "ProLiant MicroServer Gen8"},
         "HP", "ProLiant MicroServer Gen8"),
        ({"sys_vendor": "LENOVO", "product_name": "20KHCTO1WW",
          "product_version": "ThinkPad X1 Carbon 6th"}, "LENOVO", "ThinkPad X1 Carbon 6th"),
        # Boards that are sold alone: as linux-hardware.org lists them.
        ({"sys_vendor": "To Be Filled By O.E.M.", "product_name": "To Be Filled By O.E.M.",
          "board_vendor": "ASRock", "board_name": "J5040-ITX"}, "ASRock", "J5040-ITX"),
        ({"sys_vendor": "ASUS", "product_name": "All Series",
          "board_vendor": "ASUSTeK COMPUTER INC.", "board_name": "Z97-A"},
         "ASUSTeK COMPUTER INC.", "Z97-A"),
        ({"sys_vendor": "Default string", "product_name": "Default string",
          "board_vendor": "Default string", "board_name": "Default string"}, None, None),
        ({"sys_vendor": "QEMU", "product_name": "Standard PC (Q35 + ICH9, 2009)"},
         "QEMU", "Standard PC (Q35 + ICH9, 2009)"),
        ({}, None, None),
    ],
)  # fmt: skip
def test_who_made_the_machine(
    tmp_path: Path, dmi: dict[str, str], maker: str | None, model: str | None
) -> None:
    _tree(tmp_path, {f"/sys/class/dmi/id/{name}": f"{text}\n" for name, text in dmi.items()})
    found = describe(KernelFiles(tmp_path), str(tmp_path / "state"))
    assert (found.manufacturer, found.model) == (maker, model)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff" * 33, b"\0\0", b"  ", b"0", b"123456789", b"TBD by OEM", b"To be set by OEM",
        b"SYSTEM_PRODUCT_NAME", b"Undefined Product", b"Unknow", b"x.x", b"Standard",
    ],
)  # fmt: skip
def test_what_nobody_wrote_is_no_name(tmp_path: Path, content: bytes) -> None:
    _tree(tmp_path, {f"/sys/class/dmi/id/{name}": "" for name in ("sys_vendor", "product_name")})
    for path in (tmp_path / "sys/class/dmi/id").iterdir():
        path.write_bytes(content + b"\n")
    found = describe(KernelFiles(tmp_path), str(tmp_path / "state"))
    assert (found.manufacturer, found.model) == (None, None)


def test_a_board_with_a_device_tree_says_its_model(tmp_path: Path) -> None:
    _tree(tmp_path, {"/sys/firmware/devicetree/base/model": "Raspberry Pi 4 Model B Rev 1.4\0"})
    found = describe(KernelFiles(tmp_path), str(tmp_path / "state"))
    assert (found.manufacturer, found.model) == (None, "Raspberry Pi 4 Model B Rev 1.4")


def test_an_empty_root_is_no_failure(tmp_path: Path) -> None:
    found = describe(KernelFiles(tmp_path), str(tmp_path / "state"))
    assert found.memory_total_bytes is None
    assert found.boot_time is None
