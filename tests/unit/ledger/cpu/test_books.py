"""The books against a simulated kernel: random lives and deaths, with races between two reads."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publisher.ledger.cpu.books import Books
from publisher.ledger.cpu.process import Attribution, Process
from publisher.ledger.cpu.settlement import OWED_LIMIT_NS
from publisher.sources.processes import GONE, Census, Stat

_TICK = 10_000_000  # nanoseconds that user and system time are cut to when shown
_PIDS = 96  # a small numbering wraps around often
_INIT = 1


@dataclass(eq=False)
class Task:
    pid: int
    start: int
    job: int
    parent: Task | None
    own: int = 0
    reaped_user: int = 0
    reaped_system: int = 0
    ignores: bool = False
    subreaper: bool = False
    zombie: bool = False
    children: list[Task] = field(default_factory=list)


class SimulatedKernel:
    """Keeps processes the way Linux does: own time, and that of the reaped, to the nanosecond.

    ``race`` is called before every answer, and may let the world go on.
    """

    def __init__(self, random: Random, *, clocked: bool = True, ignoring: bool = True) -> None:
        self.clocked = clocked
        self.random = random
        self.ignoring = ignoring
        self.now = 0
        self.used = 0
        self.used_by: Counter[int] = Counter()
        self.last = _INIT
        self.forks = 1
        self.racing = 0.0
        self.init = Task(_INIT, 0, 0, None, subreaper=True)
        self.tasks: dict[int, Task] = {_INIT: self.init}

    # -- what the books ask ------------------------------------------------------------------

    def census(self) -> Census:
        return Census(self.last, self.forks, len(self.tasks))

    def pids(self) -> list[int]:
        self.race()
        return list(self.tasks)

    def handle(self, pid: int) -> int:
        return pid

    def marks(self, handles: Sequence[int]) -> list[int]:
        return [self._mark(pid) for pid in handles]

    def _mark(self, pid: int) -> int:
        self.race()
        task = self.tasks.get(pid)
        if task is None:
            return GONE
        return task.own if self.clocked else task.own + task.reaped_user + task.reaped_system

    def stat(self, pid: int) -> Stat | None:
        self.race()
        task = self.tasks.get(pid)
        if task is None:
            return None
        return Stat(
            pid=pid, comm=b"job %d" % task.job, state=b"Z" if task.zombie else b"S",
            parent=task.parent.pid if task.parent else 0, process_group=0, session=0,
            flags=0, own=task.own if self.clocked else task.own // _TICK * _TICK,
            reaped=task.reaped_user // _TICK * _TICK + task.reaped_system // _TICK * _TICK,
            threads=1, start=task.start // 4, rss=0,
        )  # fmt: skip

    def ignores_children(self, pid: int) -> bool:
        task = self.tasks.get(pid)
        return task is not None and task.ignores and not task.zombie

    def forget(self, pids: Iterable[int]) -> None:
        pass

    # -- what happens ------------------------------------------------------------------------

    def race(self) -> None:
        if self.random.random() < self.racing:
            self.step()

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()

    def step(self) -> None:
        self.now += 1
        choice = self.random.random()
        living = [task for task in self.tasks.values() if not task.zombie]
        task = self.random.choice(living)
        if choice < 0.3:
            self.fork(task)
        elif choice < 0.6:
            self.work(task, int(self.random.expovariate(1 / 20_000_000)) + 1)
        elif choice < 0.8:
            if task is not self.init:
                self.exit(task)
        else:
            self.wait(task)

    def fork(self, parent: Task) -> Task | None:
        if len(self.tasks) > _PIDS // 2:
            return None
        pid = self.last
        while True:
            pid = pid % _PIDS + 1
            if pid not in self.tasks:
                break
        self.last = pid
        self.forks += 1
        job = parent.job or pid * 1000 + self.forks
        ignores = self.ignoring and self.random.random() < 0.1
        child = Task(
            pid, self.now, job, parent, ignores=ignores, subreaper=self.random.random() < 0.1
        )
        parent.children.append(child)
        self.tasks[pid] = child
        return child

    def work(self, task: Task, nanoseconds: int) -> None:
        task.own += nanoseconds
        self.used += nanoseconds
        self.used_by[task.job] += nanoseconds

    def exit(self, task: Task) -> None:
        heir = task.parent
        while heir is not None and (not heir.subreaper or heir.zombie):
            heir = heir.parent
        heir = heir or self.init
        for child in task.children:
            child.parent = heir
            heir.children.append(child)
        task.children = []
        task.zombie = True
        parent = task.parent
        assert parent is not None
        for above in {id(heir): heir, id(parent): parent}.values():
            if above.ignores:
                for child in [child for child in above.children if child.zombie]:
                    self.release(child)

    def wait(self, parent: Task) -> None:
        zombies = [child for child in parent.children if child.zombie]
        if zombies:
            child = self.random.choice(zombies)
            share = self.random.random()
            total = child.own
            parent.reaped_user += int(total * share) + child.reaped_user
            parent.reaped_system += total - int(total * share) + child.reaped_system
            self.work(parent, self.random.randrange(1, 50_000))  # reaping takes work
            self.release(child)

    def release(self, task: Task) -> None:
        assert task.parent is not None
        task.parent.children.remove(task)
        del self.tasks[task.pid]


class Recorder(Attribution[int]):
    """Groups by the job that the simulation knows, and checks every account."""

    def __init__(self) -> None:
        self.total = 0
        self.orphans = 0
        self.by_job: Counter[int] = Counter()
        self.given: dict[Process[int], int] = {}

    def place(self, process: Process[int]) -> int:
        return int(process.comm.split()[1])

    def book(self, process: Process[int], nanoseconds: int) -> None:
        assert nanoseconds > 0
        self.total += nanoseconds
        self.by_job[process.membership] += nanoseconds
        self.given[process] = self.given.get(process, 0) + nanoseconds

    def book_unseen(
        self, reaper: Process[int], nanoseconds: int, died: dict[Process[int], int]
    ) -> None:
        assert nanoseconds > 0
        assert all(not process.alive for process in died)
        self.total += nanoseconds
        if reaper.reaper:
            self.orphans += nanoseconds
        else:
            self.by_job[reaper.membership] += nanoseconds

    def changed(self, process: Process[int]) -> None:
        pass

    def died(self, process: Process[int]) -> None:
        assert not process.alive


def owed(books: Books[int]) -> int:
    return sum(process.owed_ns for process in books.processes.values())


def check(
    books: Books[int], recorder: Recorder, kernel: SimulatedKernel, rounding: int = 0
) -> None:
    assert recorder.total - owed(books) <= kernel.used + rounding
    for process in books.processes.values():
        assert process.owed_ns >= 0
        assert process.owed_ns <= OWED_LIMIT_NS or process.pid == _INIT
        assert process.alive
        if process.parent is not None:
            assert process in process.parent.children
            assert process.parent.alive
            assert books.processes[process.parent.pid] is process.parent
    assert books.order == [process for process in books.order if process.alive]
    assert set(books.order) == set(books.processes.values())
    assert [process.index for process in books.order] == list(range(len(books.order)))


def tick(books: Books[int], kernel: SimulatedKernel, *, racing: float) -> None:
    kernel.racing = racing
    census = kernel.census()
    if not books.quiet(census, lambda worked: kernel.random.random() < 0.5):
        books.full(census, lambda: kernel.random.random() < 0.5)
    kernel.racing = 0.0


def opened(
    random: Random, *, past: int = 20, **options: bool
) -> tuple[SimulatedKernel, Books[int], Recorder]:
    kernel = SimulatedKernel(random, **options)
    kernel.run(past)
    recorder = Recorder()
    books: Books[int] = Books(kernel, recorder)
    books.open(kernel.census())
    kernel.used = 0
    kernel.used_by.clear()
    return kernel, books, recorder


EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
seeds = st.integers(0, 2**32)


@EXAMPLES
@given(seeds, st.lists(st.integers(0, 60), min_size=1, max_size=15), st.floats(0, 0.3))
def test_nothing_is_booked_twice(seed: int, pauses: list[int], racing: float) -> None:
    # What was reaped before the books were opened, and hidden by rounding, would show up later.
    kernel, books, recorder = opened(Random(seed), past=0)
    for pause in pauses:
        kernel.run(pause)
        tick(books, kernel, racing=racing)
        check(books, recorder, kernel)


def settle(kernel: SimulatedKernel, books: Books[int]) -> None:
    """Lets everything that was used come to light: nobody works any more, and all is read."""
    for _ in range(3):
        tick(books, kernel, racing=0)
        kernel.work(kernel.init, 1)
    books.full(kernel.census())


def slack(kernel: SimulatedKernel) -> int:
    return OWED_LIMIT_NS * sum(
        1 for task in kernel.tasks.values() if task.reaped_user or task.reaped_system
    )


@EXAMPLES
@given(seeds, st.lists(st.integers(0, 60), min_size=1, max_size=15), st.floats(0, 0.3))
def test_without_ignored_children_little_is_missed(
    seed: int, pauses: list[int], racing: float
) -> None:
    kernel, books, recorder = opened(Random(seed), ignoring=False)
    for pause in pauses:
        kernel.run(pause)
        tick(books, kernel, racing=racing)
    settle(kernel, books)
    assert kernel.used - (recorder.total - owed(books)) <= slack(kernel)


@EXAMPLES
@given(seeds, st.lists(st.integers(0, 60), min_size=1, max_size=10), st.integers(1, 5))
def test_totals_do_not_depend_on_when_one_looks(seed: int, pauses: list[int], every: int) -> None:
    totals = []
    for stride in (1, every):
        kernel, books, recorder = opened(Random(seed), ignoring=False)
        for at, pause in enumerate(pauses):
            kernel.run(pause)
            state = kernel.random.getstate()
            if at % stride == 0:
                tick(books, kernel, racing=0)
            kernel.random.setstate(state)
        settle(kernel, books)
        totals.append((recorder.total - owed(books), slack(kernel), kernel.used))
    (first, slack_first, used), (second, slack_second, same) = totals
    assert used == same
    assert abs(first - second) <= slack_first + slack_second


@EXAMPLES
@given(seeds, st.lists(st.integers(0, 60), min_size=1, max_size=15), st.floats(0, 0.3))
def test_without_clocks_the_books_hold_too(seed: int, pauses: list[int], racing: float) -> None:
    kernel, books, recorder = opened(Random(seed), clocked=False)
    hidden = 2 * _TICK * len(kernel.tasks)  # what rounding hid before the books were opened
    for pause in pauses:
        kernel.run(pause)
        tick(books, kernel, racing=racing)
        check(books, recorder, kernel, hidden)


@EXAMPLES
@given(seeds, st.lists(st.integers(0, 60), min_size=1, max_size=15))
def test_a_number_used_again_inherits_nothing(seed: int, pauses: list[int]) -> None:
    kernel, books, recorder = opened(Random(seed))
    for pause in pauses:
        kernel.run(pause)
        books.full(kernel.census())
        for process, given_ in recorder.given.items():
            if process.alive:
                task = kernel.tasks[process.pid]
                assert given_ <= task.own
                assert process.membership == task.job


@EXAMPLES
@given(seeds, st.integers(1, 12))
def test_each_job_gets_what_its_processes_used(seed: int, rounds: int) -> None:
    """A build: one root that forks and waits for all, as make does, never leaving an orphan."""
    random = Random(seed)
    kernel, books, recorder = opened(random, ignoring=False)
    root = kernel.fork(kernel.init)
    assert root is not None
    for _ in range(rounds):
        for _ in range(random.randrange(20)):
            child = kernel.fork(root)
            if child is not None:
                kernel.work(child, random.randrange(1, 200_000_000))
                if random.random() < 0.5:
                    tick(books, kernel, racing=0)
                    kernel.work(child, random.randrange(1, 200_000_000))
                kernel.exit(child)
                kernel.wait(root)
        tick(books, kernel, racing=0)
    settle(kernel, books)
    assert abs(kernel.used_by[root.job] - recorder.by_job[root.job]) <= 2 * OWED_LIMIT_NS


def test_a_reaper_who_slept_for_long_is_asked_when_its_child_dies() -> None:
    """A shell waits for an hour's work: its credit comes while hardly anybody is read."""
    kernel, books, recorder = opened(Random(3), ignoring=False, past=0)
    shell = kernel.fork(kernel.init)
    assert shell is not None
    worker = kernel.fork(shell)
    assert worker is not None
    for _ in range(20):
        kernel.work(worker, 2 * 10**9)
        books.full(kernel.census(), lambda: True)
    kernel.exit(worker)
    kernel.wait(shell)
    books.full(kernel.census(), lambda: True)
    assert owed(books) <= OWED_LIMIT_NS
    assert abs(recorder.by_job[shell.job] - kernel.used_by[shell.job]) <= OWED_LIMIT_NS


def test_a_million_dead_cost_one_credit() -> None:
    kernel, books, recorder = opened(Random(1), ignoring=False)
    root = kernel.fork(kernel.init)
    assert root is not None
    tick(books, kernel, racing=0)
    root.reaped_user += 10**12
    kernel.used += 10**12
    kernel.work(root, 5)
    kernel.forks += 10**6
    tick(books, kernel, racing=0)
    assert recorder.by_job[root.job] == pytest.approx(10**12, rel=1e-6)


def quiet_for(books: Books[int], kernel: SimulatedKernel, busy: Task, ticks: int) -> None:
    """Only ``busy`` works, so that all others are not among those read first any more."""
    for _ in range(ticks):
        kernel.work(busy, 1_000_000)
        kernel.now += 8
        books.full(kernel.census(), lambda: True)


def use_again(kernel: SimulatedKernel, gone: Task, parent: Task) -> Task:
    """The numbering wraps around, and comes by the number of one that is gone."""
    kernel.now += 8
    kernel.last = gone.pid - 1
    child = kernel.fork(parent)
    assert child is not None
    assert child.pid == gone.pid
    return child


def born(kernel: SimulatedKernel, parent: Task) -> Task:
    child = kernel.fork(parent)
    assert child is not None
    kernel.now += 8
    return child


def test_whoever_has_the_number_of_a_dead_reaper_is_found() -> None:
    kernel, books, _ = opened(Random(5), ignoring=False, past=0)
    top = born(kernel, kernel.init)
    reaper = born(kernel, top)
    worker = born(kernel, reaper)
    kernel.work(reaper, 9_000_000)
    tick(books, kernel, racing=0)
    quiet_for(books, kernel, worker, 12)
    kernel.exit(worker)
    kernel.wait(reaper)
    kernel.exit(reaper)
    kernel.wait(top)
    stranger = use_again(kernel, reaper, kernel.init)
    books.full(kernel.census(), lambda: True)
    assert books.processes[stranger.pid].start == stranger.start // 4


def test_whoever_has_the_number_of_one_reaped_while_we_read_is_found() -> None:
    kernel, books, _ = opened(Random(6), ignoring=False, past=0)
    parent = born(kernel, kernel.init)
    worker = born(kernel, parent)
    sleeper = born(kernel, parent)
    kernel.work(sleeper, 50_000_000)
    kernel.work(parent, 1_000_000)
    tick(books, kernel, racing=0)
    quiet_for(books, kernel, parent, 12)
    assert worker.pid in books.processes
    kernel.exit(sleeper)
    kernel.wait(parent)
    stranger = use_again(kernel, sleeper, kernel.init)
    books.full(kernel.census(), lambda: True)
    assert books.processes[stranger.pid].start == stranger.start // 4


def lines_run(action: Callable[[], object]) -> int:
    """How many lines of Python an action takes, which is its cost without a clock."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


def cost_of_a_chain(length: int) -> tuple[int, int]:
    """Lines to enter a chain of processes, each the child of the one before; and to bury it."""
    kernel, books, _ = opened(Random(7), ignoring=False, past=0)
    chain = [kernel.init]
    for pid in range(2, length + 2):
        kernel.last = pid - 1
        kernel.now += 1
        kernel.forks += 1
        task = Task(pid, kernel.now, 1, chain[-1])
        chain[-1].children.append(task)
        chain.append(task)
        kernel.tasks[pid] = task
        kernel.work(task, 30_000_000)
        kernel.last = pid
    entering = lines_run(lambda: books.full(kernel.census()))
    assert len(books.processes) == length + 1
    for task in chain[:0:-1]:
        kernel.exit(task)
        assert task.parent is not None
        kernel.random.seed(0)
        kernel.wait(task.parent)
    burying = lines_run(lambda: books.full(kernel.census(), lambda: True))
    assert set(books.processes) == {_INIT}
    return entering, burying


def test_a_long_line_of_processes_costs_by_its_length() -> None:
    """Anybody may make one, and thousands of processes must not take their square of time."""
    short, long = cost_of_a_chain(100), cost_of_a_chain(400)
    assert long[0] < 5 * short[0]
    assert long[1] < 5 * short[1]


def test_a_sleeper_that_dies_is_missed_though_nobody_works() -> None:
    """Killed by a shell without a fork, and waited for by init: hardly any time is used."""
    kernel, books, _ = opened(Random(8), ignoring=False, past=0)
    busy = born(kernel, kernel.init)
    sleeper = born(kernel, kernel.init)
    tick(books, kernel, racing=0)
    quiet_for(books, kernel, busy, 12)
    assert sleeper.pid in books.processes
    kernel.exit(sleeper)
    kernel.release(sleeper)
    for _ in range(8):  # at most: everybody was read lately, since the sleeper was new
        kernel.work(busy, 1_000_000)
        if not books.quiet(kernel.census(), lambda _: True):
            books.full(kernel.census(), lambda: True)
    assert sleeper.pid not in books.processes
    full = books.last_full_tick
    quiet_for(books, kernel, busy, 12)
    assert books.last_full_tick == full, "nobody is missing any more"


class LastMoment(SimulatedKernel):
    """A worker dies, and its parent waits for it, when all clocks but its own have been read."""

    doomed: Task | None = None

    def _mark(self, pid: int) -> int:
        task = self.doomed
        if task is not None and pid == task.pid and task.parent is not None:
            self.doomed, parent = None, task.parent
            self.exit(task)
            self.wait(parent)
        return super()._mark(pid)


def test_a_death_between_two_readings_leaves_init_no_debt() -> None:
    kernel = LastMoment(Random(9), ignoring=False)
    recorder = Recorder()
    books: Books[int] = Books(kernel, recorder)
    books.open(kernel.census())
    parent = born(kernel, kernel.init)
    worker = born(kernel, parent)
    kernel.work(worker, 2 * 10**9)
    tick(books, kernel, racing=0)
    kernel.doomed = worker
    for _ in range(3):
        books.full(kernel.census())
    assert books.processes[_INIT].owed_ns <= OWED_LIMIT_NS
    assert abs(recorder.by_job[parent.job] - kernel.used_by[parent.job]) <= OWED_LIMIT_NS
