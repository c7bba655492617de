"""What a plan has shown, for people and for machines."""

from __future__ import annotations

import statistics
from dataclasses import asdict

from why_parts.plans import Plan
from why_parts.scoring import Score


def document(plan: Plan, result: Score) -> dict[str, object]:
    """All of it, for JSON."""
    return {
        "name": plan.name,
        "seconds": plan.seconds,
        "loads": plan.loads,
        "runs": [asdict(run) | {"size": run.size.name.lower()} for run in plan.runs],
        "sentences_a_minute": round(result.a_minute, 2),
        "most_in_a_minute": result.most_in_a_minute,
        "leader_named_percent": round(result.named_percent, 1),
        "leader_strictly_named_percent": round(result.strictly_percent, 1),
        "own_name_percent": None if (own := result.own_percent) is None else round(own, 1),
        "asked_seconds": len(result.seconds),
        "foreign_seconds": result.foreign_seconds,
        "anonymous_sentences": result.anonymous,
        "anonymous_seconds": result.anonymous_seconds,
        "headline_rows": result.rows,
        "rows_with_causes": result.rows_with_causes,
        "state_changes": result.state_changes,
        "leader_told_after": [round(late, 2) for late in result.late],
        "block_changes": result.block_changes,
        "goals": [{"goal": goal, "met": met} for goal, met in result.goals],
        "sentences": [asdict(sentence) for sentence in result.sentences],
        "missed": _missed(result),
    }


def show(plan: Plan, result: Score) -> None:
    """The sentences with the truth beside them, the misses, the goals."""
    print(f"{plan.name}: {', '.join(plan.loads)}\n")
    print("     at  sentence, and below it who had most of the ten seconds before")
    for one in result.sentences:
        mark = "!" if one.anonymous else " "
        print(f"{one.at:>7.1f} {mark}{one.state}: {one.text}")
        print(f"{'':>9}truth: {', '.join(one.truth) or 'nobody'}")
    if missed := _missed(result):
        print("\nnot named, though ahead:")
        for row in missed:
            print(f"  {row['from']}-{row['to']} s {row['leader']}, told: {row['text']}")
    for name, changes in result.block_changes.items():
        if plan.most_changes is not None and changes > plan.most_changes:
            print(f"  {name}: {changes} changes")
    print()
    for goal, met in result.goals:
        print(f"{'✓' if met else '✗'} {goal}")
    _figures(result)


def _figures(result: Score) -> None:
    print(f"  with neither grace nor ties: {result.strictly_percent:.1f} %", end="")
    if result.own_percent is not None:
        print(f"; by the name that its owner gave it: {result.own_percent:.1f} %", end="")
    print(f"; seconds led by others on this machine: {result.foreign_seconds}")
    if len(result.late) >= 2:
        tail = statistics.quantiles(result.late, n=20, method="inclusive")[-1]
        print(
            f"  a new leader is told after: median {statistics.median(result.late):.1f} s, "
            f"p95 {tail:.1f} s"
        )
    print(
        f"  seconds without a name: {result.anonymous_seconds}; headline rows: {result.rows}, "
        f"with attributes: {result.rows_with_causes}; state changes: {result.state_changes}"
    )


def _missed(result: Score) -> list[dict[str, object]]:
    """Runs of seconds in which the leader was not named."""
    rows: list[dict[str, object]] = []
    for second in result.seconds:
        if second.named:
            continue
        last = rows[-1] if rows else {}
        same = last and (last["leader"], last["text"]) == (second.leader, second.text)
        if same and last["to"] == second.at - 1:
            last["to"] = second.at
        else:
            rows.append(
                {
                    "from": second.at,
                    "to": second.at,
                    "leader": second.leader,
                    "text": second.text,
                }
            )
    return rows
