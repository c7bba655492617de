"""Public catalogues of what people install, read into names, kinds and a line of description.

Each is a folder as its project publishes it, under the name that ``catalogues.toml`` beside this
file has for it; what is not there is left out. That file says what a catalogue's own kinds are to
fanwhy, and for what its names may be taken: for *applications*, as containers and units are called,
or for *programs*.
"""

from __future__ import annotations

import csv
import gzip
import html
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

KINDS: Final = Path(__file__).with_suffix(".toml")
"""What the kinds of each catalogue are to fanwhy."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG: Final = re.compile(r"<(Name|Repository|Category|Overview|Description)>(.*?)</", re.DOTALL)
_EXECUTABLE: Final = re.compile(r"[\w.-]*(?:server|dedicated|\.x86|\.exe)[\w.-]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a catalogue.

    Attributes:
        names: what it goes by: titles, images, executables; as they are written.
        kinds: its kinds in the catalogue's own words, the most telling first.
        text: a line that describes it; may be empty.
        ids: identifiers of a desktop's application, ``org.gnome.gitg``.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    text: str = ""
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A catalogue and what its kinds mean.

    Attributes:
        programs: its names are programs', and not applications'.
        must_agree: an item's kinds stand side by side, none before another.
        meanings: the most telling first, by kind, or by its beginning where that ends with ``*``:
            a category, which the description may overrule where a ``?`` follows; several with ``|``
            between, of which the description decides; ``?`` where it alone does; nothing where
            nothing is to be said.
    """

    name: str
    programs: bool
    must_agree: bool
    meanings: Mapping[str, str]
    items: tuple[Item, ...]

    def meaning(self, item: Item) -> str:
        """What an item's kinds say: the one that stands first here, or all as one."""
        keys = {key for kind in item.kinds if (key := self._key(kind)) is not None}
        said = [meaning for key, meaning in self.meanings.items() if key in keys]
        if self.must_agree and len(set(said)) > 1:
            return ""
        return said[0] if said else self.meanings.get("", "")

    def _key(self, kind: str) -> str | None:
        begun = [key for key in self.meanings if key.endswith("*") and kind.startswith(key[:-1])]
        whole = kind if kind in self.meanings else None
        return whole or max(begun, key=len, default=None)


def read(folder: Path, path: Path = KINDS) -> Iterator[Catalogue]:
    """The catalogues that lie in a folder, as they stand in the file."""
    for name, body in tomllib.loads(path.read_text("utf-8")).items():
        items = tuple(_READERS[body["form"]](folder / name, body.get("files", "*")))
        if items:
            yield Catalogue(
                name, body["programs"], body.get("must_agree", False), body["kinds"], items
            )


# --- their forms ---------------------------------------------------------------------------------


def _yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text("utf-8", "replace"), Loader=_LOADER)  # noqa: S506
    except yaml.YAMLError:
        return {}
    return document if isinstance(document, dict) else {}


def _item(
    names: Iterable[object], kinds: Iterable[object], text: object = "", ids: Iterable[str] = ()
) -> Item:
    line = str(text or "").strip().partition("\n")[0][:240]
    return Item(tuple(str(each) for each in names if each), tuple(str(k) for k in kinds if k), line,
                tuple(ids))  # fmt: skip


def _self_hosted(folder: Path, files: str) -> Iterator[Item]:
    """awesome-selfhosted: a file for each, with tags. Several tags are one kind."""
    for path in sorted(folder.glob(files)):
        document = _yaml(path)
        names = (document["name"], _repository(document.get("source_code_url", "")))
        yield _item(names, map(str.strip, document["tags"]), document.get("description"))


def _documents(folder: Path, files: str) -> Iterator[Item]:
    """A document in YAML for each: TrueNAS, Umbrel, Helm's charts."""
    for path in sorted(folder.glob(files)):
        document = _yaml(path)
        kinds = document.get("categories") or [document.get("category")]
        names = (document.get("id"), document.get("name"), document.get("title"))
        yield _item(names, kinds, document.get("tagline") or document.get("description"))


def _casaos(folder: Path, files: str) -> Iterator[Item]:
    for path in sorted(folder.glob(files)):
        document = _yaml(path)
        told = document.get("x-casaos") or {}
        images = [_image(str(each.get("image", ""))) for each in document["services"].values()]
        tagline = told.get("tagline")
        text = tagline.get("en_us") if isinstance(tagline, dict) else tagline
        names = (path.parent.name, document.get("name"), *images[:1])
        yield _item(names, [told.get("category")], text)


def _yunohost(folder: Path, files: str) -> Iterator[Item]:
    for path in sorted(folder.glob(files)):
        for name, body in tomllib.loads(path.read_text("utf-8")).items():
            kind = body.get("category", "")
            yield _item([name], [*(f"{kind}/{each}" for each in body.get("subtags", ())), kind])


def _portainer(folder: Path, files: str) -> Iterator[Item]:
    for path in sorted(folder.glob(files)):
        for each in json.loads(path.read_text("utf-8"))["templates"]:
            kinds = [kind.lower() for kind in each.get("categories") or ()]
            names = (each.get("name"), each.get("title"), _image(each.get("image", "")))
            yield _item(names, kinds, each.get("description"))


def _unraid(folder: Path, files: str) -> Iterator[Item]:
    """Unraid's statistics of what is installed: images with names and categories."""
    for path in sorted(folder.glob(files)):
        for image, each in json.loads(path.read_text("utf-8")).items():
            yield _item((_image(image), each.get("Name")), _telling(each.get("Category") or ()))


def _unraid_templates(folder: Path, files: str) -> Iterator[Item]:
    """Unraid's templates: the same, with a description."""
    for path in sorted(folder.glob(files)):
        text = path.read_text("utf-8", "replace")
        told = {key: html.unescape(value.strip()) for key, value in _TAG.findall(text)}
        kinds = [kind.rstrip(":") for kind in told.get("Category", "").split()]
        overview = " ".join(told.get("Overview", told.get("Description", "")).split())
        names = (_image(told.get("Repository", "")), told.get("Name"))
        yield _item(names, _telling(kinds), overview.partition("[br]")[0])


def _telling(kinds: Iterable[str]) -> tuple[str, ...]:
    """Unraid's categories that say something; one that stands alone also as such."""
    found = sorted({kind.replace(":", "-") for kind in kinds if not kind.startswith("Status")})
    left = [kind for kind in found if kind not in ("Tools-Utilities", "Other", "Tools")]
    return (f"{left[0]} alone", *left) if len(left) == 1 else tuple(left)


def _openwrt(folder: Path, files: str) -> Iterator[Item]:
    for path in sorted(folder.glob(files)):
        text = path.read_text("utf-8", "replace")
        for name, body in re.findall(
            r"^define Package/([\w.-]+)\n(.*?)^endef", text, re.MULTILINE | re.DOTALL
        ):
            title = re.search(r"^\s*TITLE:?=(.*)", body, re.MULTILINE)
            kind = re.search(r"^\s*SUBMENU:?=(.*)", body, re.MULTILINE)
            if title:
                yield _item([name], [kind and kind[1].strip()], title[1])


def _spksrc(folder: Path, files: str) -> Iterator[Item]:
    for path in sorted(folder.glob(files)):
        told = re.search(r"^DESCRIPTION = (.*)", path.read_text("utf-8", "replace"), re.MULTILINE)
        yield _item([path.parent.name], ["package"], told and told[1])


def _landscape(folder: Path, files: str) -> Iterator[Item]:
    """The Cloud Native Computing Foundation's landscape."""
    for path in sorted(folder.glob(files)):
        for category in _yaml(path)["landscape"]:
            for part in category["subcategories"] or ():
                for each in part["items"] or ():
                    kinds = (f"{category['name']} / {part['name']}",)
                    names = (each["name"], _repository(each.get("repo_url") or ""))
                    yield _item(names, kinds, each.get("description"))


_LISTED = re.compile(
    r"\s*[-*|]\s*(?:\[?!\[.*?\](?:\[.*?\]|\(.*?\))\]?(?:\(.*?\))?\s*)*\[([^\]]+)\]\((\S+?)\)(.*)"
)
_LINKS = re.compile(r"\(?\[[^\]]*\]\([^)]*\)\)?|`[^`]*`")
_HEADING = re.compile(r"(#+)\s+(.*)")


def _list(folder: Path, files: str) -> Iterator[Item]:
    """A list in Markdown: the headings above are the kind."""
    for path in sorted(folder.glob(files)):
        above: dict[int, str] = {}
        for line in path.read_text("utf-8").splitlines():
            if heading := _HEADING.match(line):
                level = len(heading[1])
                above = {key: text for key, text in above.items() if key < level}
                above[level] = re.sub(r"[^\w &/-]", "", heading[2]).strip()
            elif listed := _LISTED.match(line):
                kind = " / ".join(text for key, text in sorted(above.items()) if key > 1)
                text = _LINKS.sub("", listed[3]).strip(" -\u2013:")
                yield _item((listed[1], _repository(listed[2])), [kind], text)


def _spreadsheet(folder: Path, files: str) -> Iterator[Item]:
    """A list of command line programs, a row for each."""
    for path in sorted(folder.glob(files)):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                names = (row["name"], _repository(row["git"]))
                yield _item(names, [row["category"]], row["description"])


def _easyconfigs(folder: Path, files: str) -> Iterator[Item]:
    """EasyBuild's recipes for clusters: a class, and the programs that must be there."""
    for each in sorted(folder.glob(files)):
        texts = [path.read_text("utf-8", "replace") for path in sorted(each.glob("*.eb"))]
        kinds = {
            kind
            for text in texts
            for kind in re.findall(r"^moduleclass = '(\w+)'", text, re.MULTILINE)
        }
        programs = {
            name for text in texts for name in re.findall(r"['\"]bin/([\w.+-]+)['\"]", text)
        }
        if len(kinds) == 1:
            yield _item((each.name, *sorted(programs)), kinds)


def _slackbuilds(folder: Path, files: str) -> Iterator[Item]:
    for path in sorted(folder.glob(files)):
        name = path.parent.name
        said = re.search(
            rf"^{re.escape(name)}:\s+\S+ \((.*)\)", path.read_text("utf-8", "replace"), re.MULTILINE
        )
        yield _item([name], [path.parent.parent.name], said and said[1])


def _recipes(pattern: str) -> Callable[[Path, str], Iterator[Item]]:
    """Recipes of packages that are called after their folder, and describe themselves."""
    find = re.compile(pattern, re.MULTILINE | re.DOTALL)

    def reader(folder: Path, files: str) -> Iterator[Item]:
        for path in sorted(folder.glob(files)):
            said = find.search(path.read_text("utf-8", "replace"))
            text = " ".join(said[1].split()).split(". ")[0] if said else ""
            yield _item([path.parent.name.replace("_", "-")], ["package"], text)

    return reader


def _scoop(folder: Path, files: str) -> Iterator[Item]:
    for path in sorted(folder.glob(files)):
        try:
            document = json.loads(path.read_text("utf-8-sig"))
        except ValueError:
            continue
        yield _item([path.stem], ["package"], document.get("description"))


def _lines(folder: Path, files: str) -> Iterator[Item]:
    """AppImages and portable programs, a line for each: ``◆ name : what it is``."""
    for path in sorted(folder.glob(files)):
        for line in path.read_text("utf-8").splitlines():
            if told := re.match(r"◆ (\S+) : (.*)", line):
                yield _item([told[1]], ["package"], told[2])


def _appimages(folder: Path, files: str) -> Iterator[Item]:
    for path in sorted(folder.glob(files)):
        text = path.read_text("utf-8", "replace")
        kinds = re.search(r"^\s+Categories: (.*)$", text, re.MULTILINE)
        starts = re.search(r"^\s+Exec: (\S+)", text, re.MULTILINE)
        said = re.search(r"^description: (.*)$", text, re.MULTILINE)
        if kinds:
            names = (path.stem, starts and starts[1].rpartition("/")[2])
            yield _item(names, kinds[1].strip().strip('"').split(";"), said and said[1])


def _appstream(folder: Path, files: str) -> Iterator[Item]:
    """AppStream's components (DEP-11): identifiers, categories and programs."""
    for path in sorted(folder.glob(files)):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for component in yaml.load_all(file, Loader=_LOADER):
                if component.get("Type") in ("desktop-application", "desktop-app"):
                    programs = component.get("Provides", {}).get("binaries", ())
                    text = component.get("Summary", {}).get("C")
                    ids = (component["ID"].removesuffix(".desktop"),)
                    yield _item(programs, component.get("Categories", ()), text, ids)


def _amp(folder: Path, files: str) -> Iterator[Item]:
    """CubeCoders' templates of game servers."""
    for path in sorted(folder.glob(files)):
        told = dict(
            re.findall(r"^([\w.]+)=(.*)$", path.read_text("utf-8", "replace"), re.MULTILINE)
        )
        keys = ("App.ExecutableWin", "App.ExecutableLinux")
        programs = (re.split(r"[\\/]", told.get(key, ""))[-1].strip() for key in keys)
        yield _item((path.stem, *programs), ["game"])


def _eggs(folder: Path, files: str) -> Iterator[Item]:
    """Pterodactyl's and Pelican's eggs: game servers and the commands that start them."""
    for path in sorted(folder.glob(files)):
        try:
            document = json.loads(path.read_text("utf-8", "replace"))
        except ValueError:
            continue
        started = str(document.get("startup", ""))
        yield _item([document.get("name"), *_EXECUTABLE.findall(started)[:2]], ["game"])


def _linuxgsm(folder: Path, files: str) -> Iterator[Item]:
    for path in sorted(folder.glob(files)):
        text = path.read_text("utf-8", "replace")
        names = re.findall(r'^executable="(?:.*/)?([^"$]+)"', text, re.MULTILINE)
        yield _item((*names, path.parent.name), ["game"])


def _image(image: str) -> str:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _repository(address: str) -> str:
    """A project's name at a forge, which has it behind its owner's; of other addresses, nothing."""
    _, _, path = address.removeprefix("https://").rstrip("/").partition("/")
    return path.partition("/")[2].removesuffix(".git") if path.count("/") == 1 else ""


_READERS: Final[Mapping[str, Callable[[Path, str], Iterator[Item]]]] = {
    "self-hosted": _self_hosted,
    "documents": _documents,
    "casaos": _casaos,
    "yunohost": _yunohost,
    "portainer": _portainer,
    "unraid": _unraid,
    "unraid-templates": _unraid_templates,
    "openwrt": _openwrt,
    "spksrc": _spksrc,
    "landscape": _landscape,
    "list": _list,
    "spreadsheet": _spreadsheet,
    "easyconfigs": _easyconfigs,
    "slackbuilds": _slackbuilds,
    "spack": _recipes(r'"""(.*?)"""'),
    "cports": _recipes(r'^pkgdesc = "([^"]*)"'),
    "termux": _recipes(r'^TERMUX_PKG_DESCRIPTION="([^"]*)"'),
    "scoop": _scoop,
    "lines": _lines,
    "appimages": _appimages,
    "appstream": _appstream,
    "amp": _amp,
    "eggs": _eggs,
    "linuxgsm": _linuxgsm,
}
