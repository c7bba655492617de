"""Workloads alone and in pairs: right or not, how soon, how calmly."""

from __future__ import annotations

import argparse
import contextlib
import statistics
import subprocess
import time
from itertools import pairwise
from pathlib import Path

from why_parts.listening import NORMAL, Listener, Said
from why_parts.machine import Watch, busy_cores, end, slow_disk
from why_parts.workloads import Workload, start

DUE_SECONDS = 3.0
MOST_CHANGES = 2


def names(workload: Workload, said: Said | None) -> bool:
    """Whether a message names the workload: a cause of its category with its label."""
    if said is None or (workload.state and said.state != workload.state):
        return False
    labels = workload.label.lower().split("|")
    for cause in said.causes:
        words = f"{cause.get('label', '')} {said.headline}".lower()
        right = cause.get("category") in workload.category.split("|")
        if right and cause.get("active", True) and any(label in words for label in labels):
            return True
    return False


def trial(
    group: tuple[Workload, ...], folder: Path, listener: Listener, options: argparse.Namespace
) -> dict[str, object]:
    """One run of a workload or of several at once."""
    with contextlib.ExitStack() as undo:
        for workload in group:
            restore = workload.setup(folder) if workload.setup else None
            if restore:
                undo.callback(restore)
        before = undo.enter_context(slow_disk(folder, options.disk)) if options.disk else ""
        return watched(group, folder, listener, before, options)


def watched(
    group: tuple[Workload, ...],
    folder: Path,
    listener: Listener,
    before: str,
    options: argparse.Namespace,
) -> dict[str, object]:
    """The run itself, once everything is prepared."""
    seconds, gap = options.seconds, options.gap
    time.sleep(2)
    others = busy_cores(gap / 2)
    time.sleep(gap / 2)
    quiet = listener.at(time.monotonic())
    began = time.monotonic()
    running: list[subprocess.Popen[bytes]] = []
    watch = Watch()
    try:
        with watch.running():
            running += [start(workload, folder, before) for workload in group]
            time.sleep(seconds)
        alive = all(process.poll() is None for process in running)
        ended = time.monotonic()
    finally:
        for process in running:
            end(process)
    wait_told = ended + 20
    while time.monotonic() < wait_told:
        last = listener.at(time.monotonic())
        if not any(names(workload, last) for workload in group):
            break
        time.sleep(0.1)
    told = time.monotonic()
    during = [said for said in listener.said if began <= said.at <= ended]
    first = [next((s.at - began for s in during if names(w, s)), None) for w in group]
    moments = [began + DUE_SECONDS + 0.1 * step for step in range(round(10 * (seconds - 3)))]
    right = [all(names(w, listener.at(moment)) for w in group) for moment in moments]
    headlines = [quiet.headline if quiet else ""] + [said.headline for said in during]
    changes = sum(a != b for a, b in pairwise(headlines))
    return {
        "name": "+".join(workload.name for workload in group),
        "right_at_3s": bool(right and right[0]),
        "right_share": round(sum(right) / len(right), 2) if right else 0.0,
        "latency": [None if at is None else round(at, 2) for at in first],
        "changes": changes,
        "end_told": round(told - ended, 1),
        "before": quiet.headline if quiet else "",
        "others_cores": round(others, 2),
        "headline": during[-1].headline if during else headlines[0],
        "causes": [
            f"{cause.get('category')}/{cause.get('label')}"
            for cause in (during[-1].causes if during else [])
        ],
        "ran": alive,
        "said": [
            {"at": round(said.at - began, 2), "state": said.state, "headline": said.headline}
            for said in during
        ],
        "kernel": [
            {"at": round(at, 2), "busy_cores": round(busy, 2), "waiting_cores": round(waiting, 2)}
            for at, busy, waiting in watch.seen
        ],
    }


def show(result: dict[str, object]) -> None:
    latency = " ".join("never" if at is None else f"{at:.1f}" for at in result["latency"])  # type: ignore[attr-defined]
    mark = "✓" if result["right_at_3s"] else "✗"
    print(
        f"{mark} {result['name']:<16} {latency:>9} s  right {100 * result['right_share']:>3.0f} %  "  # type: ignore[operator]
        f"changes {result['changes']}  end {result['end_told']:>4} s  "
        f"others {result['others_cores']}"
        f"  {'' if result['ran'] else '(stopped by itself) '}{result['headline']}",
        flush=True,
    )
    if result["before"] != NORMAL:
        print(f"  before it: {result['before']}", flush=True)
    if not result["right_at_3s"] or result["changes"] > MOST_CHANGES:  # type: ignore[operator]
        for said in result["said"]:  # type: ignore[attr-defined]
            print(f"  {said['at']:>5} s  {said['state']}: {said['headline']}")
        rows = [row for row in result["kernel"] if row["at"] < 6]  # type: ignore[attr-defined]
        print("  busy/waiting cores:", *(f"{r['busy_cores']}/{r['waiting_cores']}" for r in rows))


def summary(results: list[dict[str, object]], missing: list[str]) -> None:
    latencies = sorted(at for result in results for at in result["latency"] if at is not None)  # type: ignore[attr-defined]
    if len(latencies) >= 2:
        ninety_fifth = statistics.quantiles(latencies, n=20, method="inclusive")[-1]
        print(f"latency: median {statistics.median(latencies):.1f} s, p95 {ninety_fifth:.1f} s")
    right = sum(bool(result["right_at_3s"]) for result in results)
    calm = sum(result["before"] == NORMAL for result in results)
    print(f"right at 3 s: {right} of {len(results)}; rests in which nothing was said: {calm}")
    print(f"most headline changes: {max(int(r['changes']) for r in results)}")  # type: ignore[call-overload]
    if missing:
        print(f"not installed: {', '.join(missing)}")
