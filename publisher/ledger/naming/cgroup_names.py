"""Containers and systemd units, told from the path of a process's cgroup.

Paths as docker, podman, containerd, CRI-O, LXC, Incus, systemd-nspawn and libvirt make them with
either of runc's cgroup drivers; unit names as man 5 systemd.unit escapes them; application
scopes as the desktop specification of systemd names them (``app[-<launcher>]-<id>-<random>``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from publisher.contract.readings import GroupKind
from publisher.ledger.naming.words import clean

_ID = r"(?P<id>[0-9a-f]{64}|[0-9a-f]{32})"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_CONTAINERS = [
    (re.compile(pattern), runtime)
    for pattern, runtime in (
        (rf"^docker-{_ID}\.scope$", "docker"),
        (rf"^libpod-{_ID}(\.scope)?$", "podman"),
        (rf"^crio-{_ID}(\.scope)?$", "cri-o"),
        (rf"^cri-containerd-{_ID}\.scope$", "containerd"),
        (rf"^nerdctl-{_ID}\.scope$", "containerd"),
        (rf"^[\w.-]*:(cri-containerd|containerd|nerdctl|crio|docker):{_ID}$", "containerd"),
        (r"^lxc\.payload\.(?P<id>.+)$", "lxc"),
        (r"^systemd-nspawn@(?P<id>.+)\.service$", "nspawn"),
        (r"^machine-(?P<id>.+)\.scope$", "machine"),
        (r"^(?:qemu-\d+-)?(?P<id>.+)\.libvirt-qemu$", "qemu"),
        (r"^(?:lxc-\d+-)?(?P<id>.+)\.libvirt-lxc$", "lxc"),
        (rf"^(?P<id>{_UUID}[.-].+)\.scope$", "nomad"),
    )
]
_BELOW = {
    "docker": "docker", "actions_job": "docker", "libpod_parent": "podman", "lxc": "lxc",
    "lxc.payload": "lxc", "buildkit": "docker",
}  # fmt: skip
_HEX = re.compile(rf"^{_ID}$")
_LONGEST = 4096  # PATH_MAX: the kernel tells no longer ones
_ESCAPED = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")

_JOB_UNITS = re.compile(
    r"^(cron|crond|cronie|fcron|anacron|atd|sshd?|sshd@.*|ssh@.*|getty@.*|serial-getty@.*|"
    r"console-getty|run-[\w-]+|tmux-.*|vte-spawn-.*|session-[\w]+|user@\d+|init)"
    r"\.(service|scope)$"
)
"""Units that only lend a place to what people and timers start: the job is the name."""

_SUFFIX = re.compile(r"\.(service|scope|socket|mount|slice)$")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cgroup path puts a process.

    Attributes:
        kind: ``CONTAINER`` or ``UNIT``.
        runtime: of a container: ``docker``, ``podman``, ``lxc``, …
        identity: container id or name; the unit's full name.
        anchor: the cgroup that holds all of it.
        label: the name for people, as far as the path tells.
        inner: the unit or container inside a container that runs a whole system:
            ``immich.service`` in an LXC container; empty where there is none.
    """

    kind: GroupKind
    runtime: str
    identity: str
    anchor: str
    label: str
    inner: str = ""

    @property
    def unit(self) -> str:
        """The systemd unit that it is, or that it is inside a container."""
        if self.kind is GroupKind.UNIT:
            return self.identity
        return self.inner if self.inner.endswith((".service", ".scope")) else ""

    @property
    def key(self) -> str:
        """What the account of all that is in it is kept under."""
        if self.kind is GroupKind.UNIT:
            return f"unit:{self.identity}"
        inner = f"/{self.inner}" if self.inner else ""
        return f"container:{self.runtime}:{self.identity}{inner}"


def place_of(path: str) -> Place | None:
    """What a cgroup path says; ``None`` for sessions, jobs' places and paths of nobody known."""
    parts = path[:_LONGEST].split("/")
    unit: Place | None = None
    for at, part in enumerate(parts):
        if not part:
            continue
        anchor = "/".join(parts[: at + 1])
        if container := _container(parts, at):
            runtime, identity = container
            inner, deeper = _inside(parts, at + 1)
            return Place(
                GroupKind.CONTAINER,
                runtime,
                identity,
                deeper or anchor,
                _container_label(runtime, identity),
                inner,
            )
        if part.endswith((".service", ".scope")):
            unit = None if _JOB_UNITS.match(part) else _unit(part, anchor)
    return unit


def _inside(parts: list[str], at: int) -> tuple[str, str]:
    """The unit or container that lies inside one, and its cgroup; empty where there is none."""
    inner = deeper = ""
    for number, part in enumerate(parts[at:], at):
        if _container(parts, number):
            return part.removesuffix(".scope"), "/".join(parts[: number + 1])
        if part.endswith(".service"):
            inner = "" if _JOB_UNITS.match(part) else unescape(part)
            deeper = "/".join(parts[: number + 1]) if inner else ""
    return inner, deeper


def _container(parts: list[str], at: int) -> tuple[str, str] | None:
    part, above = parts[at], parts[at - 1] if at else ""
    for pattern, runtime in _CONTAINERS:
        if match := pattern.match(part):
            identity = unescape(match["id"])
            if runtime == "machine":
                return _machine(identity)
            return runtime, identity
    if above in _BELOW and (runtime := _BELOW[above]) and part != "init.scope":
        return (runtime, part) if runtime == "lxc" or _HEX.match(part) else None
    # Of the machine's own manager: anybody may have a slice of that name below their session.
    if at == 2 and above == "qemu.slice" and re.fullmatch(r"\d+\.scope", part):
        return "qemu", part.removesuffix(".scope")  # of Proxmox VE
    if _HEX.match(part):
        if any(piece.startswith(("kubepods", "pod")) for piece in parts[:at]):
            return "containerd", part
        if "ecs" in parts[:at]:
            return "docker", part
    return None


def _machine(identity: str) -> tuple[str, str]:
    """``qemu-3-name`` for libvirt's virtual machines, the bare name for nspawn's."""
    if match := re.match(r"^(qemu|lxc)-\d+-(.+)$", identity):
        return match[1], match[2]
    return "nspawn", identity


def _container_label(runtime: str, identity: str) -> str:
    if runtime == "nomad":
        return clean(re.sub(rf"^{_UUID}.", "", identity))
    return f"{runtime} {identity[:12]}" if _HEX.match(identity) else clean(identity)


def _unit(name: str, anchor: str) -> Place:
    return Place(GroupKind.UNIT, "systemd", unescape(name), anchor, unit_label(name))


def unit_label(name: str) -> str:
    """``jellyfin`` for ``jellyfin.service``, ``firefox`` for ``app-firefox-1234.scope``."""
    stem = _SUFFIX.sub("", name)
    if stem.startswith(("app-", "dbus-", "snap.", "flatpak-")):
        return clean(unescape(_application(stem)))
    return clean(unescape(stem).rstrip("@"))


def _application(stem: str) -> str:
    if stem.startswith("snap."):
        return stem.split(".")[1]
    if stem.startswith("dbus-"):
        return re.sub(r"^(:[\d.]+|dbus)-", "", stem.removeprefix("dbus-").replace("\\x2d", "-"))
    words = stem.removeprefix("app-").removeprefix("flatpak-")
    words = re.sub(r"(-[0-9a-f]{32}|-\d+|@[0-9a-z]+)$", "", words)  # the launch, not the program
    launcher, _, rest = words.partition("-")
    if rest and launcher in ("gnome", "kde", "flatpak", "niri", "sway", "hyprland", "dbus"):
        words = rest
    name = unescape(words).removesuffix(".desktop").removesuffix("@autostart")
    if name.count(".") >= 2:  # org.mozilla.firefox
        name = name.rpartition(".")[2]
    return name


def unescape(text: str) -> str:
    r"""Undoes systemd's ``\x2d``; what is no ASCII is the bytes of UTF-8."""
    return _ESCAPED.sub(_unescaped, text)


def _unescaped(run: re.Match[str]) -> str:
    return bytes.fromhex(run[0].replace(r"\x", "")).decode("utf-8", "replace")
