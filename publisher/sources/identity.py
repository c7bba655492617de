"""Which machine this is, and what sort: read once at the start, without starting a program.

Sources: ``/etc/machine-id`` (man 5 machine-id), ``/etc/os-release`` (man 5 os-release),
``/proc/cpuinfo``, ``/proc/stat``, ``/proc/meminfo``, DMI and device tree below ``/sys``, and the
marks that container engines leave (the container interface of systemd; ``/.dockerenv``;
``/run/.containerenv``).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import platform
import re
import shlex
import sys
import uuid
from pathlib import Path

from publisher.contract.payload import rfc3339
from publisher.contract.readings import InfoReading
from publisher.errors import SourceError
from publisher.sources.files import KernelFiles

_KEY = b"fanwhy"
_DEVICES = "/sys/devices/system/cpu"
_DEVICE_TREE = "/sys/firmware/devicetree/base"
_DMI = "/sys/class/dmi/id"
# What makers of mainboards leave where a name should stand; "All Series" is ASUS's.
_NO_NAME = re.compile(
    r"to be (?:filled|set).*|tbd\b.*|default string|base ?board .*|chassis manufacture.*|not .*|"
    r"system[ _](?:product|manufacturer|version|name).*|(?:undefined )?product(?: name)?|none|n/?a|"
    r"unknown?|undefined|invalid|empty|standard|oem.*|o\.e\.m\.?.*|all series|type\d.*|sku|x[.x]*",
    re.IGNORECASE,
)


def describe(files: KernelFiles, state: str | None = None) -> InfoReading:
    """Who this machine is: all of ``host/info`` that does not change while the kernel runs.

    Args:
        files: kernel files.
        state: folder where an identity is kept for a machine that has none of its own.
    """
    name = os.uname() if hasattr(os, "uname") else None
    memory = _number(files.hint("/proc/meminfo"), r"^MemTotal:\s+(\d+) kB$")
    maker, model = _board(files)
    return InfoReading(
        machine_id=machine_id(files, state),
        operating_system=_operating_system(files),
        kernel=f"{name.sysname} {name.release}" if name else platform.platform(terse=True),
        architecture=(name.machine if name else platform.machine()) or None,
        manufacturer=maker,
        model=model,
        cpu_model=_cpu_model(files),
        physical_cores=_physical_cores(files),
        logical_cores=os.cpu_count(),
        memory_total_bytes=None if memory is None else memory * 1024,
        virtualization=virtualization(files),
        boot_time=boot_time(files),
    )


def boot_time(files: KernelFiles) -> str | None:
    """When the kernel started, by the clock as it is set now."""
    booted = _number(files.hint("/proc/stat"), r"^btime (\d+)$")
    return None if booted is None else rfc3339(booted)


def machine_id(files: KernelFiles, state: str | None = None) -> str:
    """A stable identity that does not give the machine id away.

    man 5 machine-id asks to publish it only through a keyed hash. A machine without one (many
    containers, macOS) gets a random one, kept in ``state``; where that cannot be written, it is
    made from the host name.
    """
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        found = files.hint(path)
        if re.fullmatch(r"[0-9a-f]{32}", found):  # "uninitialized" in images not yet booted
            return _hashed(found)
    kept = _windows_id() or (_kept_id(Path(state, "machine-id")) if state else "")
    return _hashed(kept or platform.node())


def virtualization(files: KernelFiles) -> str | None:
    """What this machine runs in; ``None`` on the bare metal."""
    found = [kind for kind in (_container(files), hypervisor(files)) if kind]
    return " on ".join(found) or None


def _hashed(identity: str) -> str:
    return hmac.new(_KEY, identity.encode(), hashlib.sha256).hexdigest()[:32]


def _kept_id(path: Path) -> str:
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not written over: a daemon that starts at the same time may have been first.
            with path.open("x", encoding="ascii") as file:
                file.write(f"{uuid.uuid4().hex}\n")
    except FileExistsError:
        pass
    except OSError:
        return ""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _windows_id() -> str:
    if sys.platform == "win32":
        import winreg  # noqa: PLC0415  # exists there alone

        try:
            with winreg.OpenKey(
                winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography"
            ) as key:
                return str(winreg.QueryValueEx(key, "MachineGuid")[0])
        except OSError:
            return ""
    return ""


def _operating_system(files: KernelFiles) -> str | None:
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        match = re.search(r"^PRETTY_NAME=(.*)$", files.hint(path), re.MULTILINE)
        if match:
            try:
                return " ".join(shlex.split(match[1])) or None
            except ValueError:  # an unbalanced quote
                return match[1]
    if release := platform.mac_ver()[0]:
        return f"macOS {release}"
    return f"{platform.system()} {platform.release()}".strip() or None


def _cpu_model(files: KernelFiles) -> str | None:
    content = files.hint("/proc/cpuinfo")
    # x86, MIPS and RISC-V, then ARM boards that name the board, not the processor.
    for key in ("model name", "cpu model", "uarch", "Processor", "Model", "Hardware"):
        match = re.search(rf"^{key}\s*:\s*(\S.*)$", content, re.MULTILINE)
        if match:
            return re.sub(r"\s+", " ", match[1]).strip()
    return files.hint(f"{_DEVICE_TREE}/model").rstrip("\0") or platform.processor() or None


def _board(files: KernelFiles) -> tuple[str | None, str | None]:
    """(maker, model) of the machine, else of its mainboard; of a board with a device tree, model.

    Lenovo keeps the name that people know in the version, and a number in the name. Memory that
    was never written reads as 0xFF (an Intel NUC, github.com/dylanaraps/neofetch/issues/859): what
    has no letter, or what cannot be shown, is no name.
    """

    def dmi(name: str) -> str:
        found = " ".join(files.hint(f"{_DMI}/{name}").split())
        told = found.isprintable() and "\N{REPLACEMENT CHARACTER}" not in found
        named = told and any(map(str.isalpha, found))
        return found if named and not _NO_NAME.fullmatch(found) else ""

    maker, model = dmi("sys_vendor"), dmi("product_name")
    if maker.casefold() == "lenovo":
        model = dmi("product_version") or model
    if not model:
        maker, model = dmi("board_vendor") or maker, dmi("board_name")
    if not model:
        model = files.hint(f"{_DEVICE_TREE}/model").rstrip("\0").strip()
    return maker or None, model or None


def _physical_cores(files: KernelFiles) -> int | None:
    try:
        names = [name for name in files.names(_DEVICES) if re.fullmatch(r"cpu\d+", name)]
    except SourceError:
        return None
    siblings = {files.hint(f"{_DEVICES}/{name}/topology/thread_siblings_list") for name in names}
    return len(siblings - {""}) or None


def _container(files: KernelFiles) -> str | None:
    named = files.hint("/run/systemd/container")
    if named:
        return named
    if files.exists("/run/.containerenv"):
        return "podman"
    if files.exists("/.dockerenv"):
        return "docker"
    match = re.search(r"container=([\w-]+)", files.hint("/proc/1/environ").replace("\0", "\n"))
    if match:
        return match[1]
    groups = files.hint("/proc/1/cgroup")
    for mark, engine in (
        ("kubepods", "kubernetes"),
        ("libpod", "podman"),
        ("docker", "docker"),
        ("lxc", "lxc"),
        ("machine.slice/machine-", "systemd-nspawn"),
    ):
        if mark in groups:
            return engine
    return None


# What hypervisors write into DMI (the marks that systemd's virt.c goes by, too), and the word
# that systemd-detect-virt has for each.
_VENDORS = (
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Amazon EC2", "amazon"),
    ("Google Compute Engine", "google"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "oracle"),
    ("VirtualBox", "oracle"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Virtual Machine", "microsoft"),
    ("Apple Virtualization", "apple"),
)


def hypervisor(files: KernelFiles) -> str | None:
    release = files.hint("/proc/sys/kernel/osrelease").lower()
    if "microsoft" in release or "wsl" in release:
        return "wsl"
    if "control_d" in files.hint("/proc/xen/capabilities"):
        return None  # the privileged domain of Xen: this machine *is* the host
    tree = files.hint(f"{_DEVICE_TREE}/hypervisor/compatible")
    if tree:
        return "xen" if "xen" in tree else "kvm" if "kvm" in tree else tree.split("\0")[0]
    flagged = bool(
        re.search(r"^flags\s*:.*\bhypervisor\b", files.hint("/proc/cpuinfo"), re.MULTILINE)
    )
    described = " ".join(
        files.hint(f"/sys/class/dmi/id/{name}")
        for name in ("product_name", "sys_vendor", "board_vendor", "bios_vendor")
    )
    # Amazon's bare metal says "Amazon EC2" too; Google's servers sold as hardware say "Google".
    for mark, hypervisor in _VENDORS:
        if mark in described and (flagged or hypervisor not in ("amazon", "google")):
            return hypervisor
    kind = files.hint("/sys/hypervisor/type")
    return kind or ("virtual machine" if flagged else None)


def _number(content: str, pattern: str) -> int | None:
    match = re.search(pattern, content, re.MULTILINE)
    return int(match[1]) if match else None
