"""What the ledger hands on: which group used what in one window, and what has no owner.

Times are CPU seconds, rates are per second of the window, percent of CPU is of one core.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from publisher.contract.readings import GroupKind
from publisher.ledger.naming.cgroup_names import Place


@dataclass(frozen=True, slots=True)
class Clues:
    """What classification may go by. Words of a command line that may be secret are not here.

    Attributes:
        program: name of the program that works most in the group (``cc1``).
        executable: its path, empty where this user may not read it.
        script: what an interpreter runs: a file name, a module, or a tool's word
            (``train.py``, ``http.server``, ``vite``).
        command: the leading safe words of the job's command (``npm run build``).
        unit: systemd unit, such as ``jellyfin.service``.
        container_name: where the runtime tells it.
        container_image: likewise, without registry and digest.
        ancestors: names of the programs above it, the nearest first, up to the root of the job.
        members: names of all programs that worked in the group, the busiest first, at most 8.
        interpreter: what runs ``script``: a shell, an interpreter; empty where it is not known.
        worker_script: what ``program`` runs, where it is an interpreter or a shell that runs
            another script than the root of the group does (``scale.py`` below ``convert-all.sh``).
        disguise: what contradicts the name that ``program`` goes by, in words: ``calls itself
            rsync, is perl``; empty where nothing does.
        mining: a command line in it has options that only miners have.
        script_path: where ``worker_script``, else ``script`` lies; empty where that is not written.
    """

    program: str = ""
    executable: str = ""
    script: str = ""
    command: str = ""
    unit: str = ""
    container_name: str = ""
    container_image: str = ""
    ancestors: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    interpreter: str = ""
    worker_script: str = ""
    disguise: str = ""
    mining: bool = False
    script_path: str = ""


@dataclass(frozen=True, slots=True)
class WorkGroup:
    """One answer to "who": processes that a person would call by one name.

    Attributes:
        key: stable while the group lives, and across restarts of fanwhy for units and
            containers.
        label: the name for people; free of control characters, at most 60 characters.
        own: it is fanwhy itself, which is accounted for but never blamed.
        apart: what tells it from another group that has the same label: unit, container, folder
            or user; empty where none has.
    """

    key: str
    kind: GroupKind
    label: str
    own: bool = False
    apart: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryLimit:
    """A limit on what control groups may hold in memory.

    Attributes:
        used_bytes: what is counted against it, page cache included.
        shared: whose limit it is, where it is not the group's own: ``user 1000``, ``the pod``.
        strained: the group ran into it in the window, and waited for memory because of it.
    """

    limit_bytes: int
    used_bytes: int
    shared: str = ""
    strained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What one work group used in the window, and what it holds at its end.

    ``None`` stands for what this user may not know.

    Attributes:
        short_lived_seconds: the part of ``cpu_seconds`` used by processes that had died before
            they could be read.
        wait_seconds: time that its processes could have run but waited for a processor, added up
            over those that were read.
        since: when its oldest living process began, seconds since the epoch.
        blocked_count: its processes that waited for a disk when the window ended.
        memory_limit: the limit that it comes nearest to; looked at only while memory is short.
        pid: its main process: the oldest that lives, which of a job is the one that began it; of a
            program the oldest of a family that works.
        pids: its processes that are alive, the one that worked most first, at most five.
        process_group: that ``pid`` leads and all of ``pids`` are in; ``None``: there is none.
        called: by what a container's runtime knows it, as it was told; empty where it is not known.
        place: the container or unit that it is; ``None`` for jobs, programs and the kernel.
        gpu_percent: of one GPU's time; more than 100 on several GPUs.
        gpu_power_watts: its part of the power that the GPUs draw above idle.
    """

    group: WorkGroup
    clues: Clues
    cpu_seconds: float
    short_lived_seconds: float = 0.0
    process_count: int = 0
    thread_count: int = 0
    since: float | None = None
    memory_bytes: int | None = None
    memory_growth_bytes_per_second: float | None = None
    memory_limit: MemoryLimit | None = None
    disk_read_bytes_per_second: float | None = None
    disk_write_bytes_per_second: float | None = None
    network_receive_bytes_per_second: float | None = None
    network_transmit_bytes_per_second: float | None = None
    gpu_percent: float | None = None
    gpu_memory_bytes: int | None = None
    gpu_power_watts: float | None = None
    wait_seconds: float | None = None
    blocked_count: int = 0
    pid: int | None = None
    pids: tuple[int, ...] = ()
    process_group: int | None = None
    called: str = ""
    place: Place | None = None

    @property
    def disk_bytes_per_second(self) -> float | None:
        """Read and written together; ``None`` where neither is known."""
        return _together(self.disk_read_bytes_per_second, self.disk_write_bytes_per_second)

    @property
    def network_bytes_per_second(self) -> float | None:
        """Received and transmitted together; ``None`` where neither is known."""
        return _together(
            self.network_receive_bytes_per_second, self.network_transmit_bytes_per_second
        )


def _together(one: float | None, other: float | None) -> float | None:
    return None if one is None and other is None else sum((one or 0.0, other or 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryKill:
    """A process that the kernel killed for want of memory.

    Attributes:
        account: of its group; ``None`` where that is not known.
        program: what it ran; empty where that is not known.
        held_bytes: what it held; ``None`` where that is not known.
        limited: a limit was full, and not the machine's memory.
        limit: that limit, where it could be read.
        sure: that it was this one is known, and not only likely.
    """

    account: Account | None = None
    program: str = ""
    held_bytes: int | None = None
    limited: bool = False
    limit: MemoryLimit | None = None
    sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The books of one window: busy = named + unattributed, by construction.

    Attributes:
        window_seconds: monotonic length of the window.
        cores: logical processors.
        busy_seconds: CPU time that programs and kernel threads used.
        accounts: every group that worked or ranks high in memory, the busiest first.
        unattributed_seconds: what of ``busy_seconds`` no group could be named for.
        irq_seconds: time in interrupts, which no group used; likewise ``steal_seconds``.
        guest_seconds: time in virtual machines, already part of their groups' time.
        memory_kills: processes that the kernel killed for want of memory, as far as was noticed
            in the window; of a storm of them the latest.
        memory_kill_awaited: one was noticed of which more will be known after the next window.
    """

    window_seconds: float
    cores: int
    busy_seconds: float
    accounts: tuple[Account, ...] = field(default=())
    unattributed_seconds: float = 0.0
    irq_seconds: float = 0.0
    steal_seconds: float = 0.0
    guest_seconds: float = 0.0
    memory_kills: tuple[MemoryKill, ...] = ()
    memory_kill_awaited: bool = False

    @property
    def named_seconds(self) -> float:
        return self.busy_seconds - self.unattributed_seconds

    def percent(self, seconds: float) -> float:
        """CPU seconds of this window as percent of one core."""
        return 100 * seconds / self.window_seconds if self.window_seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Correspondent:
    """A work group at the other end of connections.

    Attributes:
        share: the part of the work that may be put down to it, 0 to 1.
    """

    account: Account
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Correspondents:
    """With whom the processes of a group that work most are connected, the first most of all.

    Attributes:
        clients: those who called it.
        upstreams: those whom it called.
        inside: containers whose first process is a child of those processes.
        remote_share: the part of the work that may be put down to callers from other machines.
        remote: how many other machines call it.
        remote_names: their addresses, where these may be told.
    """

    clients: tuple[Correspondent, ...] = ()
    upstreams: tuple[Correspondent, ...] = ()
    inside: tuple[Account, ...] = ()
    remote_share: float = 0.0
    remote: int = 0
    remote_names: tuple[str, ...] = ()
