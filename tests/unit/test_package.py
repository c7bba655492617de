"""What is handed out: a small source distribution, and a wheel with all that runs."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

_ROOT = Path(__file__).resolve().parents[2]
_LIMIT_BYTES = 1_500_000
_PACKAGES = ("publisher", "subscriber_cli")
_ENTRY_POINTS = """\
[console_scripts]
fanwhy-pub = publisher.__main__:main
fanwhy-sub = subscriber_cli.__main__:main
"""


def _build(kind: str, folder: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", folder],
        cwd=_ROOT,
        capture_output=True,
        check=True,
    )
    (made,) = folder.iterdir()
    assert made.stat().st_size < _LIMIT_BYTES
    return made


def _shipped() -> set[str]:
    """The files of both packages, by name: the code, and its data."""
    return {
        str(path.relative_to(_ROOT))
        for package in _PACKAGES
        for path in (_ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def test_the_wheel_holds_the_packages_and_nothing_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(_build("wheel", tmp_path)) as wheel:
        names = set(wheel.namelist())
        (entry_points,) = (name for name in names if name.endswith("/entry_points.txt"))
        said = wheel.read(entry_points).decode()
    code = {name for name in names if ".dist-info/" not in name}

    assert code == _shipped()
    assert {name for name in code if name.endswith("py.typed")} == {
        f"{package}/py.typed" for package in _PACKAGES
    }
    assert [name for name in code if PurePosixPath(name).name == "rules.toml"]
    assert said == _ENTRY_POINTS


def test_the_source_distribution_holds_what_a_wheel_is_made_from_and_the_pages(
    tmp_path: Path,
) -> None:
    with tarfile.open(_build("sdist", tmp_path)) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}

    assert {name.partition("/")[0] for name in names} == {
        *_PACKAGES,
        "docs",
        "examples",
        ".gitignore",  # hatchling's, by which a build from there leaves out the same
        "CHANGELOG.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "SECURITY.md",
        "pyproject.toml",
    }
    assert _shipped() <= names
