"""The application that a server or a worker of Python's runs: ``uvicorn open_webui.main:app``.

Uvicorn, Gunicorn and Celery carry somebody's application and are told which by the name of its
module (PEP 3333's application object, Celery's ``--app``). What that is called says more than the
server does, unless it is called as all are, ``main:app``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from publisher.ledger.naming.generic import is_generic
from publisher.ledger.naming.words import presentable

SERVERS: Final = frozenset(
    {"uvicorn", "gunicorn", "hypercorn", "daphne", "granian", "waitress-serve", "uwsgi", "celery"}
)
"""Programs that carry an application, by the names that they have on a command line."""
_SHORTEST: Final = 3
_OBJECT = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*):[A-Za-z_]\w*(?:\(\))?")
_GATEWAY = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*)\.[aw]sgi")
_TITLED = re.compile(r"gunicorn: \w+ \[([A-Za-z_]\w*(?:\.\w+)*):[A-Za-z_]\w*\]")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
_USUAL_WORDS = """
    config core project mysite django src backend api asgi wsgi web site website celery celery_app
    celeryapp tasks worker proj settings application service
"""
_USUAL: Final = frozenset(_USUAL_WORDS.split())
"""What modules are called whose name says nothing, beside those that no script's name says."""


def application_in(server: str, words: Sequence[str]) -> str:
    """The module of the application, whole; empty where it is not told, or says nothing.

    Args:
        server: the program, one of ``SERVERS``.
        words: the command line behind it, or the title of the process in words.
    """
    module = _app_option(words) if server == "celery" else _positional(words)
    first = module.partition(".")[0]
    if (
        len(first) < _SHORTEST
        or first.lower() in _USUAL
        or is_generic(f"{first}.py")
        or not presentable(module)
    ):
        return ""
    return module


def _app_option(words: Sequence[str]) -> str:
    for option, value in pairwise([*(word.strip("()") for word in words), ""]):
        name, equals, attached = option.partition("=")
        told = attached if equals else value
        module = told.partition(":")[0]
        if name in ("-A", "--app") and _MODULE.fullmatch(module):
            return module
    return ""


def _positional(words: Sequence[str]) -> str:
    if match := _TITLED.match(" ".join(words)):
        return match[1]
    for word in words:
        if match := _OBJECT.fullmatch(word) or _GATEWAY.fullmatch(word):
            return match[1]
    return ""
