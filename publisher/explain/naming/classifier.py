"""What kind of work a work group does, how a person would call it, and how sure that is.

Attention to miners comes first, wherever they stand. Then the job wins over the tool: who asked
for the work says more than what carries it out. So the order is container, unit, command of the
job, script, the program that was started, the program at work; a tool or an interpreter gives way
to the nearest program above it that is neither.

What nobody knows goes by its plain name and is ``unknown``: a script by its own, not by its
interpreter's. Units and containers have names of their own. Where a shell or a script that no rule
knows works most in them, they go by that name, not by one of the helpers it starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from publisher.contract.printable import printable
from publisher.contract.readings import GroupKind
from publisher.explain.naming.classification import (
    ALIKE,
    BY,
    GUESS,
    INSIDE,
    KNOWN,
    LOOSE,
    MINING,
    UNKNOWN,
    Classification,
    said,
)
from publisher.explain.naming.disguises import disguise_of
from publisher.explain.naming.guests import why_guest
from publisher.explain.naming.kernel_work import kernel_work
from publisher.explain.naming.lookup import (
    base,
    hides,
    is_script,
    passing,
    program_rule,
    script_names,
    versionless,
)
from publisher.explain.naming.miners import is_weak, miner_in
from publisher.explain.naming.own_words import Told, telling_word
from publisher.explain.naming.packages import by_packages
from publisher.explain.naming.place_names import application_of, is_part, service_of, without_type
from publisher.explain.naming.places import (
    CARRYING,
    by_beginning,
    by_container,
    by_unit,
    own_name,
)
from publisher.explain.naming.products import by_folder, by_hosted_name
from publisher.explain.naming.rules import Rule, RuleBook
from publisher.explain.naming.worker import with_worker
from publisher.ledger.accounts import Clues, WorkGroup
from publisher.ledger.naming.generic import is_generic
from publisher.ledger.naming.programs import shipped

__all__ = ["ALIKE", "BY", "MINING", "Classification", "Classifier"]

_SAYS_LITTLE = frozenset({"shell", "remote_access", "downloads", "backup"})
"""Kinds of tool that are used for all sorts of work: what a script is called says more."""
_DONE = frozenset({"backup", "indexing", "media", "updates", "antivirus", "downloads"})
"""Kinds of work that a NAS or a hosting panel does itself, and says so in its programs' names."""
_TELLING = frozenset({"media", "ai", "indexing"})
"""Kinds of program that say more of a script than a name which many have."""
_INSTALLED = frozenset(
    {"system", "virtualization", "remote_access", "desktop", "web", "database", "monitoring"}
)
"""Kinds of program that are installed, and that whoever hides in ``/tmp`` likes to be taken for."""
_FRAMEWORKS = frozenset(
    {"python-web", "ruby-web", "php-artisan", "celery", "job-queues", "sidekiq"}
)
"""Rules of what carries a product: the folder that it lies in says more."""
_SHORTEST = 4
"""Letters of a program after which a part of a product may be called."""
_RUNNERS = frozenset(
    {"uv", "uvx", "poetry", "pipenv", "pdm", "hatch", "rye", "pipx", "npx", "bunx"}
)
"""Package managers that run what is a person's own."""
_CARRIERS = frozenset({"shell", "remote_access"})
"""Kinds of tool that carry another one's work: compression, a secure shell."""


class Classifier:
    """Classifies by the rules and remembers the answers while the clues stay the same."""

    def __init__(self, book: RuleBook) -> None:
        self._book = book
        self._known: dict[str, tuple[Clues, Classification]] = {}

    def classify(self, group: WorkGroup, clues: Clues) -> Classification:
        """What the group does; cheap for a group whose clues did not change."""
        remembered = self._known.get(group.key)
        if remembered is not None and (remembered[0] is clues or remembered[0] == clues):
            return remembered[1]
        found = with_worker(self._found(group, clues), group, clues)
        if len(self._known) >= 512:
            self._known.pop(next(iter(self._known)))
        self._known[group.key] = (clues, found)
        return found

    def _found(self, group: WorkGroup, clues: Clues) -> Classification:
        if group.own:
            return Classification(
                "monitoring", "fanwhy", 1.0, "fanwhy", "it is fanwhy itself", "own"
            )
        if group.kind is GroupKind.KERNEL:
            return kernel_work(self._book, clues.program or group.label)
        miner = miner_in(self._book, clues)
        disguise = disguise_of(self._book, clues)
        if disguise is None:
            return miner or _Search(self._book, group, clues).result()
        search = _Search(self._book, group, disguise.clues)
        found = search.result() if disguise.believed else search.place()
        return disguise.found(miner or found)


@dataclass(slots=True)
class _Search:
    book: RuleBook
    group: WorkGroup
    clues: Clues
    _lists: tuple[Classification | None] | None = None

    def result(self) -> Classification:
        if (named := self._place()) is not None:
            return self._guest(named) or self._doubted(named)
        for step in (
            self._command,
            self._script,
            self._root,
            self._game,
            self._program,
            self._worker,
            self._path,
            self._above,
            self._listed,
        ):
            found = step()
            if found is not None:
                return self._doubted(found)
        hidden = hides(self.clues.executable)
        place = ", and it runs from a hidden or a temporary folder" if hidden else ""
        return self._nobody(f"no rule knows it{place}")

    def _doubted(self, found: Classification) -> Classification:
        """What is known by a program's name alone, and lies where anyone may put a file."""
        if (
            found.by not in ("program", "job")
            or found.confidence <= GUESS
            or found.category not in _INSTALLED
            or not passing(self.clues.executable)
        ):
            return found
        reason = f"{found.reason}, but it lies in a folder where anyone may put one"
        return replace(found, confidence=GUESS, reason=reason)

    @property
    def _named(self) -> bool:
        """Whether the group has been given a name, which says more than ``Shell job``."""
        return self.group.kind in (GroupKind.UNIT, GroupKind.CONTAINER) and bool(self.group.label)

    @property
    def _installed(self) -> bool:
        """Whether the program lies where packages put them, as far as that is known."""
        return self.clues.executable.startswith(("/usr/", "/bin/", "/opt/", "/nix/")) or not (
            self.clues.executable or self.clues.command.startswith(("./", "/"))
        )

    @property
    def _works_below(self) -> bool:
        """Whether something else works below the script, and not its interpreter."""
        works = self._lookup(self.clues.program.lower())
        known = works is not None and works[0].role not in ("interpreter", "host")
        return known or bool(self.clues.worker_script)

    @property
    def _owned(self) -> bool:
        """Whether what works is a tool in something of somebody's own."""
        return self._named or bool(self.clues.script)

    def _nobody(self, reason: str) -> Classification:
        """What no rule knows, by its plain name; a public list may know what it is for."""
        listed = (
            self._folder()
            or (None if self._named else by_hosted_name(self.book, self.clues))
            or self._list()
            or self._loose_words()
        )
        if listed is not None:
            return listed
        name = own_name(self.group, self.clues)
        worker = self.clues.worker_script
        if worker and not self._named and is_generic(self.clues.script.rpartition(".")[0]):
            name = printable(base(worker))  # start.sh says nothing
        hidden = hides(self.clues.executable)
        if self.clues.unit.startswith("app-flatpak-") and not hidden:
            return Classification("desktop", name, LOOSE, "", "it is an application of Flatpak's")
        if not hidden and (product := by_beginning(self.book, self.group, self.clues)):
            return replace(product, label=name)
        return Classification("unknown", name, UNKNOWN, "", reason)

    def place(self) -> Classification:
        """By nothing but the place that it works in."""
        return self._place() or self._nobody("nothing says what it is")

    def _place(self) -> Classification | None:
        """By container and unit; the unit inside a system container names it."""
        found = by_container(self.book, self.clues) or by_unit(self.book, self.clues)
        if found is not None and (part := self._part(found)):
            return part
        if found is None or (found.by, found.category) != ("unit", "desktop"):
            return found
        # A service of the system that runs discord.sh is no chat program.
        own = self.clues.script.endswith(".sh") and self.clues.program in shipped().shells
        return None if own and not application_of(self.clues.unit) else found

    def _part(self, whole: Classification) -> Classification | None:
        """The program that a place is called after as well: *redis* of ``nextcloud-redis``."""
        program = base(self.clues.program.lower())
        name = self.clues.container_name or without_type(self.clues.unit)
        name = service_of(name.lower())
        last = re.split(r"[-_.@]", name)[-1]
        rule = self.book.find_exact("program", program)
        if rule is None or rule.role != "program" or rule.category == whole.category:
            return None
        called = last.startswith(program) or name.endswith(program)
        if rule.name in _FRAMEWORKS or len(program) < _SHORTEST or not called:
            return None
        return said(rule, INSIDE, "program", f"program {program!r}")

    def _guest(self, place: Classification) -> Classification | None:
        """What was put into somebody else's container or unit: it is not what that is."""
        program = self.clues.program
        if not (program and self._named):
            return None
        why = why_guest(self.book, self.group, self.clues, place)
        if not why:
            return None
        rule = program_rule(self.book, program)
        if program.lower() in self.clues.unit.lower() or (rule and rule.name == place.rule):
            return None
        reason = f"{why}, in the {place.by} {self.group.label!r}"
        return Classification("unknown", printable(program), UNKNOWN, "", reason)

    def _game(self) -> Classification | None:
        """Whatever lies in the folder of a game is the game's, ``reaper`` and ``wine`` too."""
        found = self._path()
        if (
            found is None
            or found.rule == "wine"
            or found.category != "gaming"
            or found.role != "program"
        ):
            return None
        known = self._lookup(self.clues.program.lower())
        return None if known is not None and known[0].category == "gaming" else found

    def _command(self) -> Classification | None:
        words = self.clues.command.lower().split()
        if words:
            words[0] = base(words[0])
        for count in range(len(words), 0, -1):
            text = " ".join(words[:count])
            rule = self.book.find("command", text)
            if rule is not None:
                return said(rule, KNOWN, "command", f"command {text!r}")
        return None

    def _script(self) -> Classification | None:
        found = self._by_script(self.clues.script.lower(), KNOWN, ALIKE)
        if found is None:
            return None
        if found.rule in _FRAMEWORKS and (product := self._folder()):
            return replace(product, confidence=INSIDE)
        if found.confidence > GUESS:
            return found
        if self._named and (own := by_beginning(self.book, self.group, self.clues)):
            return replace(own, label=own_name(self.group, self.clues))
        works = self._lookup(self.clues.program.lower())
        # ffmpeg below some server.js says more than the name of that, and so does its folder.
        if works is not None and works[0].category in _TELLING:
            return None
        generic = is_generic(base(self.clues.script))
        return (self._words() if generic else None) or self._folder() or found

    def _worker(self) -> Classification | None:
        """The script of the worker, where the job itself is nothing that a rule knows."""
        return self._by_script(self.clues.worker_script.lower(), INSIDE, INSIDE)

    def _by_script(self, script: str, sure: float, alike: float) -> Classification | None:
        if not script:
            return None
        if folder := base(script.rpartition("/")[0]):
            rule = None
            if len(folder) >= _SHORTEST:
                rule = self.book.find("script", folder) or self.book.find_exact("program", folder)
            if rule is not None and rule.role == "program" and not is_weak(rule):
                return said(rule, alike, "script", f"script {script!r}")
        for name in script_names(script):
            rule = self.book.find("script", name)
            if rule is not None and rule.role == "host" and self._works_below:
                return None
            if rule is not None:
                return said(rule, sure, "script", f"script {script!r}")
        # A file called go.py is not the Go compiler: only a script without an ending is a program.
        for name in (folder if len(folder) >= _SHORTEST else "", base(script)):
            rule = self.book.find_exact("program", name)
            tool = rule is not None and rule.role == "tool" and "." not in name
            if rule is not None and (rule.role == "program" or tool) and not is_weak(rule):
                return said(rule, alike, "script", f"script {script!r}")
        return None

    def _root(self) -> Classification | None:
        """The program that a person started, where the job is all that it started."""
        words = self.clues.command.lower().split()
        if self._named or not words:
            return None
        found = self._lookup(words[0])
        if found is None or found[0].role != "program":
            return None
        if words[0].endswith(".sh") and not self.book.find_exact("program", base(words[0])):
            return None  # a script of somebody's own, and no program with an ending
        if self.group.kind is not GroupKind.JOB:
            # What apt starts is an update, too; but an updater in it says more.
            works = self._lookup(self.clues.program.lower())
            known = works is not None and works[0].category in ("updates", "system")
            if known or found[0].category != "updates":
                return None
        return said(found[0], found[1], "job", f"job of {base(words[0])!r}")

    def _program(self) -> Classification | None:
        for name in self._own_names():
            found = self._lookup(name)
            if found is None:
                continue
            rule, confidence = found
            if rule.name in _FRAMEWORKS and (product := self._folder()):
                return replace(product, confidence=INSIDE)
            if self._named and rule.name in CARRYING:
                # What npm runs in a unit is the unit's, and may be known by that name to others.
                confidence = min(confidence, INSIDE)
                listed = self._list()
                if listed is not None and listed.by in ("unit", "container"):
                    return listed
            if rule.role == "host":
                return self._hosted(rule, name, confidence)
            if rule.role == "interpreter":
                return self._interpreted(rule, name, confidence)
            better = self._instead(rule, name) if rule.role == "tool" else None
            if rule.role == "tool" and self._owned:
                confidence = min(confidence, INSIDE)
            return better or said(rule, confidence, "program", f"program {name!r}")
        return None

    def _instead(self, rule: Rule, name: str) -> Classification | None:
        """Who answers for a tool, which does not answer for itself."""
        owner = self._owner(rule.category)
        if owner is not None:
            return said(owner[0], ALIKE, "above", f"{name!r} works for {owner[1]!r}")
        if rule.category in _CARRIERS and (host := self._host()):
            return said(host, INSIDE, "unit", f"{name!r} works in {self.clues.unit!r}")
        if rule.category in _CARRIERS:
            chief = self._chief() if not self._owned else None
            if chief is not None:
                return said(chief[0], ALIKE, "program", f"{name!r} works for {chief[1]!r}")
        return self._words() if rule.category in _SAYS_LITTLE else None

    def _host(self) -> Rule | None:
        """The host whose own unit it is: ``du`` in the kubelet's is the kubelet's."""
        if self.group.kind is not GroupKind.UNIT:
            return None
        rule = self.book.find("unit", without_type(self.clues.unit.lower()))
        return rule if rule and (rule.role, rule.category) == ("host", "virtualization") else None

    def _interpreted(self, rule: Rule, name: str, confidence: float) -> Classification:
        """What an interpreter does: its script's work, else that of who started it."""
        script = self.clues.script or self.clues.worker_script
        if not self.clues.script and not self._named and rule.category != "shell":
            owner = self._owner(rule.category)
            if owner is not None:
                return said(owner[0], ALIKE, "above", f"{name!r} works for {owner[1]!r}")
        found = (
            self._worker()
            or self._script_path()
            or self._started()
            or self._folder()
            or self._listed()
            or self._commanded(name)
        )
        if found is not None:
            return found
        if script:
            by = self.clues.interpreter or name
            return self._nobody(f"{by!r} runs {script!r}, which no rule knows")
        if self._named and rule.category == "shell":
            return self._nobody(f"{name!r} works most in it, and says little")
        return said(rule, confidence, "program", f"program {name!r}")

    def _commanded(self, name: str) -> Classification | None:
        """By the command that it goes by, where that is no script: ``ruby bundle exec puma``."""
        command = self.clues.command.lower().partition(" ")[0]
        if self.clues.script or not command or base(command) == name:
            return None
        found = self._lookup(command)
        if found is None or found[0].role in ("interpreter", "host"):
            return None
        return said(found[0], ALIKE, "job", f"command {command!r}")

    def _started(self) -> Classification | None:
        owner = self._owner("")
        if owner is None or owner[1] in _RUNNERS:
            return None
        return said(owner[0], INSIDE, "above", f"it works for {owner[1]!r}")

    def _hosted(self, rule: Rule, name: str, confidence: float) -> Classification:
        """What is done below a shell or another host, which lends its name to nothing."""
        if rule.category != "shell" and not self._named:
            return self._words() or said(rule, confidence, "program", f"program {name!r}")
        found = self._worker() or self._script_path() or self._words()
        if found is None and not self._named:
            found = self._busiest() or self._called()
        if found is not None:
            return found
        if self._named and rule.category != "shell":
            return said(rule, confidence, "program", f"program {name!r}")
        if self._owned or self.clues.worker_script:
            return self._nobody(f"{name!r} works most in it, and says little")
        return said(rule, min(confidence, INSIDE), "program", f"program {name!r}")

    def _own_names(self) -> Iterator[str]:
        program = self.clues.program.lower()
        if program:
            yield program
        executable = base(self.clues.executable.lower())
        # The shell that a line was given to is not what the line runs.
        line = self.group.kind is GroupKind.JOB and not self.clues.script
        told = line and bool(program) and executable in shipped().shells
        if executable and executable != program and not told:
            yield executable

    def _path(self) -> Classification | None:
        path = self.clues.executable.lower().replace("\\", "/")
        rule = self.book.find("path", path) if path else None
        if rule is None:
            return self._script_path()
        return self._in_place_of(said(rule, ALIKE, "path", f"executable {path!r}"))

    def _folder(self) -> Classification | None:
        """By the product in whose folder it lies: ``/opt/kometa/modules/overlays.py``."""
        path = self.clues.script_path if self.clues.script else self.clues.executable
        known = self._lookup(base(path.lower()))
        if self._named or (known is not None and known[0].name not in _FRAMEWORKS):
            return None
        return by_folder(self.book, path)

    def _in_place_of(self, found: Classification) -> Classification:
        """What a word says of something in a system's folder: its backup, its index."""
        words = self._words() if found.confidence <= INSIDE else None
        if words is not None and (found.confidence <= GUESS or words.category in _DONE):
            return words
        return found

    def _script_path(self) -> Classification | None:
        """By where the script lies: ``/usr/local/emhttp`` is Unraid's."""
        path = self.clues.script_path.lower()
        rule = self.book.find("path", path) if path else None
        if rule is None:
            return None
        found = said(rule, INSIDE, "path", f"script {base(path)!r} lies in its folder")
        return self._in_place_of(found)

    def _above(self) -> Classification | None:
        owner = self._owner("") if not hides(self.clues.executable) else None
        return said(owner[0], INSIDE, "above", f"started by {owner[1]!r}") if owner else None

    def _owner(self, category: str) -> tuple[Rule, str] | None:
        """The nearest program above that answers for what it starts.

        Args:
            category: a program in the same group will do if it is of this kind: ``make`` beside
                ``cc1``. What else a script has started says nothing.
        """
        for name in self.clues.ancestors:
            found = self._lookup(name.lower())
            if found is not None and found[0].role == "program":
                return found[0], name
        for name in self.clues.members:
            found = self._lookup(name.lower())
            if found is not None and (found[0].role, found[0].category) == ("program", category):
                return found[0], name
        return None

    def _busiest(self) -> Classification | None:
        """What works most below a shell or another host; who works less names nothing."""
        for name in self.clues.members:
            found = self._lookup(name.lower())
            if found is None:
                return None
            if found[0].role == "interpreter":
                return None
            if found[0].role != "host":
                return said(found[0], INSIDE, "program", f"{name!r} works most in it")
        return None

    def _called(self) -> Classification | None:
        """The program that the group is called after, where a script of its works in it."""
        above = self._owner("") if self.group.kind is GroupKind.PROGRAM else None
        if above is None or above[1] != self.group.label:
            return None
        return said(above[0], INSIDE, "above", f"it works for {above[1]!r}")

    def _chief(self) -> tuple[Rule, str] | None:
        """The uppermost tool that says what the work is for: ``tar`` above ``gzip``."""
        root = self.clues.command.split()[:1] if self.group.kind is GroupKind.JOB else ()
        for name in (*root, *reversed(self.clues.ancestors), *self.clues.members):
            found = self._lookup(name.lower())
            if found is not None and found[0].role == "tool" and found[0].category not in _CARRIERS:
                return found[0], name
        return None

    def _words(self) -> Classification | None:
        """By a word that says much in a name that somebody gave."""
        told = self._told()
        return said(told.rule, GUESS, "words", _of_word(told)) if told and told.strong else None

    def _listed(self) -> Classification | None:
        """By a list that has the whole name, else by a word in it."""
        return self._list() or self._words()

    def _list(self) -> Classification | None:
        """What the lists say, which are asked once."""
        if self._lists is None:
            self._lists = (by_packages(self.book, self.group, self.clues),)
        return self._lists[0]

    def _loose_words(self) -> Classification | None:
        """By any word, where nothing else says what it is."""
        told = self._told()
        if told is None:
            return None
        found = said(told.rule, GUESS, "words", _of_word(told))
        return replace(found, label=own_name(self.group, self.clues))

    def _told(self) -> Told | None:
        clues = self.clues
        job = self.group.label.split(" ")[0] if self.group.kind is GroupKind.JOB else ""
        # rsync is no backup because of its name, and what hides calls itself what it likes.
        own = (job, clues.program, base(clues.executable))
        hidden = hides(clues.executable) or clues.executable.startswith("/etc/")
        image = clues.container_image.rpartition("/")[2].partition(":")[0]
        container = "" if image and is_part(clues.container_name.lower()) else clues.container_name
        places: tuple[str, ...] = (without_type(clues.unit), container, image)
        names = [name for name in own if not (hidden or self._lookup(name))]
        # What was put into a temporary folder of a container says nothing by its name.
        scripts = [clues.script, clues.worker_script]
        if self._named and passing(clues.script_path):
            scripts = ["", ""]
        # Nor does the container's name say what was put there and runs.
        if self._named and passing(clues.executable):
            places = ()
        texts = (scripts[0], *places, scripts[1], *names)
        return telling_word(self.book, texts, places)

    def _lookup(self, name: str) -> tuple[Rule, float] | None:
        whole = name if "/" in name and name[:1] != "/" else ""
        name = base(name)
        if len(name) == 1 and not self._installed:
            return None  # a person's ./x is no display server
        # No pattern of programs, such as ``oracle_*``, is meant for somebody's own script.
        find = self.book.find_exact if is_script(name) else self.book.find
        rule = (find("program", whole) if whole else None) or find("program", name)
        if rule is not None:
            return None if is_weak(rule) else (rule, KNOWN)
        if stripped := versionless(name):
            rule = self.book.find_exact("program", stripped)
            if rule is not None and not is_weak(rule):
                return rule, ALIKE
        return None


def _of_word(told: Told) -> str:
    return f"the word {told.word!r} in {told.text!r}"
