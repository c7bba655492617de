"""What the names of units and containers say: the product in them, or what is done with it.

``tomcat9``, ``docker-immich`` and ``shop-postgres-1`` hold the name of a product. But
``redis-backup`` and ``nginx-log-cleaner`` are no Redis and no nginx: a part of a name may be left
out only where it says nothing of the work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_VERSION = re.compile(r"[-_.]?v?\d+(?:[._]\d+)*$")
_INNER_VERSION = re.compile(r"(?<=[a-z])\d+(?:\.\d+)*(?=[-_])")
_TYPES = (".service", ".scope", ".slice", ".socket", ".timer", ".mount")
_LAUNCHED = re.compile(r"[-@][0-9a-f]+$")

# What container engines and orchestrators add to a service's name.
_COMPOSE = re.compile(r"[-_](?:\d+|run-[0-9a-f]+)$")
_RECREATED = re.compile(r"^[0-9a-f]{12}_")
_SWARM = re.compile(r"\.\d+\.[0-9a-z]{25}$")
_ALLOCATION = re.compile(r"-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")  # Nomad's
_TASK = re.compile(r"^ecs-(.+)-\d+-(.+)-[0-9a-f]{16,}$")
_POD = re.compile(r"^k8s_([^_]+)_([^_]+)_[^_]+_[^_]+_\d+$")
# The letters of Kubernetes' random names: no vowels, none that read like digits (apimachinery,
# util/rand).
_REPLICA = re.compile(r"-(?:[0-9a-f]{8,10}|[bcdf-hj-np-tv-xz2-9]{8,10})-[bcdf-hj-np-tv-xz2-9]{5}$")
_ADD_ON = re.compile(r"^addon_(?:core|local|[0-9a-f]{8})_(.+)$")  # Home Assistant's
_DAEMON_SET = re.compile(r"-(?=[a-z]*\d)[bcdf-hj-np-tv-xz2-9]{5}$")

_STARTERS_WORDS = """
    docker-compose compose podman podman-compose podman-kube docker container app service
    pm2 supervisor systemd-nspawn screen tmux run script
"""
_STARTERS: Final = frozenset(_STARTERS_WORDS.split())
"""Templates that run whatever their instance is called after: ``docker-compose@immich``."""

_ENGINES: Final = ("docker-", "podman-", "container-", "compose-", "docker.", "libpod-")

_NEUTRAL_WORDS = """
    server srv daemon service svc main prod production dev devel staging stage db database
    app application web webserver www http https api backend frontend worker workers
    scheduler cron core node master primary secondary replica slave standby leader follower
    cluster instance container docker podman lxc ct host local home homelab nas my our the
    new latest stable nightly beta release linux amd64 arm64 x86_64 armv7 alpine debian
    ubuntu bookworm bullseye slim rootless system user aio ngx ce ee oss pro community
    enterprise standalone single shared public private internal external default org com io
    gpu cpu cuda rocm openvino vulkan
    net de browser chrome
    celery celerybeat beat gunicorn uwsgi uvicorn daphne
"""
NEUTRAL: Final = frozenset(_NEUTRAL_WORDS.split())
"""Words that say where or how a product runs, not what is done with it."""

_DOINGS_WORDS = """
    backup backups bak dump restore snapshot snapshots exporter metrics monitor monitoring
    cleaner cleanup clean prune purge gc rotate logrotate log logs init migrate migration
    migrations setup install installer update updater upgrade watchdog health healthcheck
    check checker test tests wait waitfor proxy tunnel ui gui admin dashboard cli client
    sync import importer export report stop start restart reload build builder docs operator
    controller sidecar mcp fix replace disable enable
"""
DOINGS: Final = frozenset(_DOINGS_WORDS.split())
"""Words that say what is done with a product: its backup, its check, its exporter."""

_MACHINES: Final = ("amd64", "arm64", "aarch64", "armhf", "armv7", "i386", "x86_64")
_BUILT_FOR: Final = re.compile(
    rf"^(?:{'|'.join(_MACHINES)})-(?:addon-)?|[-_](?:{'|'.join(_MACHINES)})$"
)
_PARTS_WORDS: Final = """
    ui gui admin dashboard console client cli agent connector collector controller manager
    operator gateway proxy relay panel portal site engine platform hub router runtime runner
    management signal ws all edition legacy webhook
    back front
"""
_PARTS: Final = NEUTRAL | frozenset(_PARTS_WORDS.split())
"""What the parts of many products are called."""

# The first words of names that Docker and podman invent (moby, namesgenerator).
_ADJECTIVES_WORDS = """
    admiring adoring affectionate agitated amazing angry awesome backstabbing beautiful
    berserk blissful bold boring brave busy charming clever cocky compassionate competent
    condescending confident cool cranky crazy dazzling desperate determined distracted
    dreamy drunk eager ecstatic elastic elated elegant eloquent epic evil exciting fervent
    festive flamboyant focused friendly frosty funny furious gallant gifted gigantic gloomy
    goofy gracious grave great happy hardcore heuristic high hopeful hungry infallible
    insane inspiring intelligent interesting jolly jovial keen kickass kind laughing loving
    lonely lucid magical modest musing mystifying naughty nervous nice nifty nostalgic
    objective optimistic peaceful pedantic pensive practical prickly priceless quirky
    quizzical recursing relaxed reverent romantic sad serene sharp sick silly sleepy small
    stoic strange stupefied suspicious sweet tender thirsty tiny trusting unruffled upbeat
    vibrant vigilant vigorous wizardly wonderful xenodochial youthful zealous zen
"""
_ADJECTIVES: Final = frozenset(_ADJECTIVES_WORDS.split())
_HASHED = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{12}|[0-9a-f]{64}")
"""Names that panels for game servers give."""
_INVENTED = re.compile(r"([a-z]+)_[a-z]+\d?")


def without_type(unit: str) -> str:
    """``nginx`` for ``nginx.service``."""
    for ending in _TYPES:
        unit = unit.removesuffix(ending)
    return unit


def unit_names(unit: str) -> Iterator[str]:
    """What a unit's name says whole: itself, its template or instance, without engine and version.

    ``php8.2-fpm`` gives ``php-fpm``, ``docker-immich`` gives ``immich``, ``minecraft@survival``
    gives ``minecraft``, ``docker-compose@immich`` gives ``immich``.
    """
    name = without_type(unit)
    if name.startswith("snap."):
        yield name
        yield from name.split(".")[1:]
        return
    if name.startswith("app-"):
        yield application_of(name)
        return
    template, _, instance = name.partition("@")
    yield name
    if instance:
        yield instance if template in _STARTERS else template
    plain = template if template not in _STARTERS else ""
    for engine in _ENGINES:
        if plain.startswith(engine):
            plain = plain.removeprefix(engine)
            yield plain
    if plain:
        yield from _versionless(plain)
        yield from _alike(plain)


def _versionless(name: str) -> Iterator[str]:
    stripped = _VERSION.sub("", name)
    inner = _INNER_VERSION.sub("", stripped)
    for candidate in (stripped, inner):
        if candidate not in ("", name):
            yield candidate


def _alike(name: str) -> Iterator[str]:
    """``foo`` for ``foo-server``, ``foo-daemon`` and ``food``, and ``foo-server`` for ``foo``."""
    for ending in ("-server", "_server", "-daemon", "-service"):
        if name.endswith(ending):
            yield name.removesuffix(ending)
    if len(name) > 4 and name.endswith("d"):
        yield name[:-1]
    if name.isalpha() and len(name) > 3:
        yield f"{name}-server"


def application_of(unit: str) -> str:
    """The application in a unit named by the desktop: ``app-gnome-org.gimp.GIMP-1234``.

    The scheme is systemd's (Desktop Environment Integration): app[-launcher]-id[-random].
    """
    if not unit.startswith("app-"):
        return ""
    name = _LAUNCHED.sub("", unit.removeprefix("app-"))
    name = name.removesuffix("@autostart").removesuffix(".desktop")
    return name.rpartition("-")[2].replace("\\x2d", "-").rpartition(".")[2]


def service_of(container: str) -> str:
    """A container's name without what its orchestrator adds.

    ``shop-web-1``, ``web-6d4cf56db6-x7k2p``, ``shop_web.1.k3…``, ``ecs-shop-7-web-9af…``,
    ``k8s_web_web-0_prod_…`` and ``addon_core_web`` are all a service called ``web`` or
    ``shop-web``.
    """
    if match := _POD.match(container):
        return match[1]
    if match := _TASK.match(container):
        return match[2]
    if match := _ADD_ON.match(container):
        return match[1].replace("_", "-")
    name = _RECREATED.sub("", container)
    for pattern in (_SWARM, _ALLOCATION, _REPLICA, _DAEMON_SET):
        stripped = pattern.sub("", name)
        if stripped != name:
            return stripped
    return name


def container_names(container: str) -> Iterator[str]:
    """What a container's name says whole: itself, and without what its orchestrator adds.

    ``cnpg-controller-manager/manager`` is the container ``manager`` of a pod.
    """
    if not container:
        return
    yield container
    # Of a pod's container its own name, unless that says nothing, and then the pod's.
    pod, _, own = container.rpartition("/")
    parts = (own, pod) if not _PARTS.issuperset(re.split(r"[-_.]", own)) else (pod, own)
    for name in filter(None, parts):
        service = service_of(name)
        for form in dict.fromkeys((service, _COMPOSE.sub("", service))):
            if form != container:
                yield form


def is_invented(container: str) -> bool:
    """Whether an engine made the name up: ``tender_bose``."""
    match = _INVENTED.fullmatch(container.lower())
    if _HASHED.fullmatch(container.lower()):
        return True
    return match is not None and match[1] in _ADJECTIVES


def is_part(container: str) -> bool:
    """What a part of any product may be called: ``app``, ``main``, ``webhook``."""
    return _PARTS.issuperset(re.split(r"[-_.]", container))


def is_number(container: str) -> bool:
    """A system container that goes by its number, as on Proxmox."""
    return container.isdecimal()


def image_names(image: str) -> Iterator[str]:
    """``ghcr.io/a/b-server:v1`` as ``a/b-server`` and ``b-server``.

    What it is built for says nothing: ``a/b/amd64`` and ``a/b-amd64`` are ``b``.
    """
    head, _, last = image.rpartition("/")
    last = last.split(":")[0]
    if last in _MACHINES and head:
        head, _, last = head.rpartition("/")
    owner = head.rpartition("/")[2]
    for name in dict.fromkeys((last, _BUILT_FOR.sub("", last))):
        if owner:
            yield f"{owner}/{name}"
        yield name


def owner_of(image: str) -> str:
    """Who an image is by, where its own name says nothing: ``castopod`` for ``castopod/app``."""
    head, _, last = image.partition("@")[0].rpartition("/")
    owner = head.rpartition("/")[2]
    words = re.split(r"[-_.]", last.partition(":")[0])
    if not owner or "." in owner or ":" in owner or not _PARTS.issuperset(words):
        return ""
    return owner


def parts_of(name: str) -> Iterator[str]:
    """Products that a longer name may be about, the longest and the last first.

    Left out at the end is only what says where something runs (``postgres-db``); at the front,
    what may be the name of a project (``shop-postgres``). What is done with a product is never
    left out.
    """
    words = re.split(r"[-_.]", _COMPOSE.sub("", name))
    if "to" in words:
        return  # smtp_to_telegram is between two of them
    ends = [len(words)]
    while ends[-1] > 1 and (words[ends[-1] - 1] in NEUTRAL or words[ends[-1] - 1].isdecimal()):
        ends.append(ends[-1] - 1)
    for end in ends:
        for start in range(end):
            if DOINGS.intersection(words[:start]):
                break
            if (start, end) == (0, len(words)) or NEUTRAL.issuperset(words[start:end]):
                continue
            for separator in "-_":
                yield separator.join(words[start:end])
                if end - start == 1:
                    break


def ends_of(name: str) -> Iterator[str]:
    """The last words of a longer name, the longest first, two at least: ``unifi-controller``."""
    words = re.split(r"[-_.]", _COMPOSE.sub("", name))
    for start in range(1, len(words) - 1):
        yield "-".join(words[start:])


def doing_in(name: str) -> str:
    """What a name says is done with something, as its last or first word; empty if nothing."""
    words = re.split(r"[-_.@]", name)
    for word in (words[-1], words[0]):
        if word in DOINGS and len(words) > 1:
            return word
    return ""


def product_of(name: str, doing: str) -> str:
    """The rest of a name beside what is done: ``redis`` for ``redis-backup``."""
    words = [word for word in re.split(r"[-_.@]", name) if word != doing]
    return "-".join(words)
