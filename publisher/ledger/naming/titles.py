"""Titles that daemons write in place of their command line, and what they call the program.

As PostgreSQL, nginx, php-fpm, sshd and dovecot do it, setproctitle of Python, ``$0`` of Perl and
Ruby, ``process.title`` of Node.js. A title changes with what its process does; the program's name
in it does not. What else it tells (users, addresses, queues) is never shown.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet

from publisher.ledger.naming.words import base, presentable, program_of

_HEAD = re.compile(
    r"\[?([A-Za-z][\w.+-]*(?:/[a-z][\w-]*)?)(?: \[[\w-]+\])?::?(?: |$|(?<=::)[A-Z\w])"
)
_RELEASE = re.compile(r"(?:-v?\d[\d.]*|\[\d+\]|:+)$")
_OWNER = re.compile(r"\[([a-z][a-z0-9_-]{2,})\] (?:worker|web|server|cron|smtp|master)(?: \d+)?")
"""A program that puts its name before the part of it that runs: ``[postal] worker``."""
_QUEUED = re.compile(r"([a-z][a-z0-9_-]+):worker:[\w-]+: ")
"""``rq:worker:<id>: Listening on …``."""
_STATE = re.compile(r"\[(?:ready|starting|running|idle|busy)\] ")
_ALIASES = {
    "celeryd": "celery",
    "uWSGI": "uwsgi",
    "Passenger": "passenger",
    "PassengerAgent": "passenger",
    "VLLM": "vllm",
    "vLLM": "vllm",
    "amavisd-new": "amavisd",
    "unicorn_rails": "unicorn",
    "solid-queue": "solid_queue",
    "sidekiqswarm": "sidekiq",
}
_FAMILIES = ("dovecot/",)  # what stands before the slash is the program


def titled_program(title: str, known: AbstractSet[str], interpreters: AbstractSet[str]) -> str:
    """The program that a title names; empty where it names none, or is no title.

    Args:
        title: the first word of the command line.
        known: programs that begin their title with their name.
        interpreters: what may stand before the program's name, as in ``ruby: sidekiq``.
    """
    if title.startswith(_FAMILIES):
        return title.partition("/")[0]
    if " " not in title and not title.endswith(":") and "::" not in title:
        return ""
    if (owner := _OWNER.fullmatch(title)) and presentable(owner[1]):
        return owner[1]
    if queued := _QUEUED.match(title):
        return queued[1]
    title = _STATE.sub("", title, count=1)
    if (match := _HEAD.match(title)) and presentable(base(match[1])):
        head = match[1].partition("/")[0] if match[1].startswith(_FAMILIES) else base(match[1])
        if program_of(head) not in interpreters:
            return _plain(head)
        title = title[match.end() :]
    first = _plain(base(title.lstrip("[(").partition(" ")[0]))
    return first if first in known or first in _ALIASES.values() else ""


def _plain(word: str) -> str:
    name = _RELEASE.sub("", word.rstrip(":"))
    return _ALIASES.get(name, program_of(name))
