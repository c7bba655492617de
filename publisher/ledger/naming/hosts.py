"""Programs whose arguments tell what runs in them: virtual machines and Erlang's.

Only values of options that hold names are looked at: qemu's ``-name``, VirtualBox's ``--comment``,
Firecracker's ``--id``, the file that VMware describes a machine in; Erlang's ``-name``, ``-sname``,
``-s`` and ``-root`` (``-setcookie`` holds a secret).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from publisher.ledger.naming.words import base, presentable

_MACHINES = re.compile(
    r"qemu(?:-system-\w+|-kvm)?|kvm|VBoxHeadless|VirtualBoxVM|VirtualBox|firecracker|crosvm|lkvm"
    r"|vmware-vmx"
)
_GUEST_OPTIONS = ("-name", "--name", "--comment", "--id")
_KEEPERS = re.compile(r"/(?:lxd|incus)/")
_GUEST = re.compile(r"\w[\w .+()#&-]{0,59}")
_INSTANCES = re.compile(r"anonymous-instance|(?:sandbox|instance)-[0-9a-f]{8,}")
"""Names that a program makes up for a machine without one."""
_ERLANG = ("beam.smp", "beam", "erlexec")
_ERLANG_OPTIONS = ("-name", "-sname", "-s", "-root", "-progname", "-boot", "-config", "-mode")
_ERLANG_NAMES = """
    rabbitmq ejabberd couchdb emqx vernemq riak mongooseim plausible pleroma akkoma livebook zotonic
    couchbase leofs wings teslamate firezone supabase realtime yaws tsung mobilizon bonfire
"""
_ERLANG_APPS = {
    **{name: name for name in _ERLANG_NAMES.split()},
    "rabbit": "rabbitmq",
    "mongooseimctl": "mongooseim",
    "opscode": "chef-server",
}

_RELEASE = re.compile(r"/([^/]+)/erts-[\d.]+/bin/")
_NO_RELEASES = ("", "erlang", "otp", "lib", "rel", "release", "app", "usr", "opt", "current")


def guest_of(program: str, words: Sequence[str]) -> str:
    """The name of the virtual machine that it runs; empty for all else."""
    if not _MACHINES.fullmatch(program):
        return ""
    if program == "vmware-vmx":
        return _told(base(words[-1]).removesuffix(".vmx")) if words[-1].endswith(".vmx") else ""
    for word, after in pairwise([*words[1:], ""]):
        option, joined, value = word.partition("=")
        if option in _GUEST_OPTIONS:
            value = value if joined else after
            # A comma within a name is written twice.
            parts = [part.replace("\0", ",") for part in value.replace(",,", "\0").split(",")]
            named = dict(part.partition("=")[::2] for part in parts)
            name = named.get("guest") or parts[0]
            # LXD and Incus put the project in front of a name, in which there is no underscore.
            kept = any(_KEEPERS.search(word) for word in words)
            return _told(name.rpartition("_")[2] if kept else name)
    return ""


def runs_guests(comm: str) -> bool:
    """Whether a process, by the kernel's name of it, may run a virtual machine."""
    return comm.startswith("qemu-system-") or _MACHINES.fullmatch(comm) is not None


def _told(name: str) -> str:
    """The name of a guest, if it reads like one that a person gave; they have spaces, too."""
    if not _GUEST.fullmatch(name) or _INSTANCES.fullmatch(name):
        return ""
    return name if all(presentable(word.strip("()#&")) for word in _words_of(name)) else ""


def _words_of(name: str) -> list[str]:
    return [word for word in name.split() if word.strip("()#&-+")]


def erlang_application(program: str, words: Sequence[str]) -> str:
    """Which application Erlang's machine runs; empty where that is not told."""
    if program not in _ERLANG:
        return ""
    node = ""
    for option, value in pairwise(words):
        if option not in _ERLANG_OPTIONS:
            continue
        for piece in _pieces(value):
            if found := _ERLANG_APPS.get(piece):
                return found
        if option in ("-name", "-sname"):
            node = value.partition("@")[0]
    if node:
        return node if presentable(node) and node.isalnum() else ""
    release = _RELEASE.search(words[0])
    name = release[1] if release else ""
    return name if name.lower() not in _NO_RELEASES and presentable(name) else ""


def _pieces(value: str) -> Iterator[str]:
    yield base(value).lower()
    yield from re.split(r"[^a-z]+", value.lower())
