"""Programs whose arguments tell what runs in them: virtual machines and Erlang's.

Only values of options that hold names are looked at: qemu's ``-name``, VirtualBox's ``--comment``,
Erlang's ``-name``, ``-sname``, ``-s`` and ``-root`` (``-setcookie`` holds a secret).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from publisher.ledger.naming.words import base, presentable

_MACHINES = re.compile(r"qemu-system-\w+|qemu-kvm|kvm|VBoxHeadless|firecracker|cloud-hypervisor")
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
    for option, value in pairwise(words):
        if option in ("-name", "--comment", "--id"):
            parts = dict(part.partition("=")[::2] for part in value.split(","))
            name = parts.get("guest") or value.partition(",")[0]
            return name if presentable(name) else ""
    return ""


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
