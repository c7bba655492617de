"""Names that say nothing of a program: ``index.js``, ``main.py``, ``Bootstrap``.

The folder or the package that they stand in says more: ``/opt/zigbee2mqtt/index.js``,
``org.apache.catalina.startup.Bootstrap``.
"""

from __future__ import annotations

import re
from typing import Final

from publisher.ledger.naming.words import presentable

_FILES: Final = re.compile(
    r"(?:main|index|app|server|cli|start|run|launch|launcher|__main__|bootstrap|program|service"
    r"|entrypoint|entry|wsgi|asgi|manage|worker|cmd|bot|script|init|boot|default)"
    r"(?:\.(?:py|pyc|pyz|[cm]?js|ts|rb|pl|php|jar|war|asar|dll|exe|lua))?"
)
_FOLDER_NAMES: Final = """
    src dist build bin sbin lib lib64 libexec app apps server backend frontend api out output js
    public www html htdocs current release releases opt srv usr local home root var tmp data code
    project projects workspace workspaces repo repos main node_modules resources share program
    programs service services scripts script target classes packages package core install system
    site-packages dist-packages node python php java ruby deployments boot runtime jar jars venv
    env run mnt media storage volume1 users user container docker
    etc vendor .. .
"""
_FOLDERS: Final = frozenset(_FOLDER_NAMES.split())
_HOMES: Final = ("home", "Users", "users")
_CLASS_NAMES: Final = """
    main bootstrap launcher server application app start starter run runner daemon cli program
    jarlauncher warlauncher propertieslauncher entrypoint boot startup
"""
_CLASSES: Final = frozenset(_CLASS_NAMES.split())
_PACKAGE_NAMES: Final = """
    loader launch core impl internal bin org com net io de java tools util client common
"""
_FAMOUS: Final = {"catalina": "tomcat"}
_PACKAGES: Final = _CLASSES | frozenset(_PACKAGE_NAMES.split())


def is_generic(file: str) -> bool:
    """Whether a script's file name says nothing of what it is."""
    return bool(_FILES.fullmatch(file.lower()))


def folder_of(path: str) -> str:
    """The nearest folder above a file that names a program; empty where none does.

    Args:
        path: absolute, or as far as it is known.
    """
    folders = path.replace("\\", "/").split("/")[:-1]
    for at in range(len(folders) - 1, -1, -1):
        folder = folders[at]
        if at and folders[at - 1] in _HOMES:
            return ""  # a person's name
        if (
            folder.lower() in _FOLDERS
            or not folder
            or folder.startswith((".", "_"))
            or re.fullmatch(r"v?\d[\w.-]*", folder)
        ):
            continue
        return folder if presentable(folder) else ""
    return ""


def plain_class(name: str) -> str:
    """``catalina`` for ``org.apache.catalina.startup.Bootstrap``; the class where it says more."""
    *package, last = name.partition("$")[0].split(".")
    if last.lower() not in _CLASSES:
        return last
    telling = [part for part in package if part.lower() not in _PACKAGES]
    return _FAMOUS.get(telling[-1], telling[-1]) if telling else last
