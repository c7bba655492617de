"""ZFS datasets: what each uses with those below it.

``statvfs`` tells of a dataset alone, so that the topmost one of a full pool, which holds nothing
but others, would read as empty (https://github.com/nicolargo/glances/issues/2626). ``zfs list``
counts what lies below, too; what is not mounted (snapshots, volumes) is known to it alone.
"""

from __future__ import annotations

from collections.abc import Mapping


def with_those_below(used: Mapping[str, int]) -> dict[str, int]:
    """Bytes that each dataset uses, by name, the mounted ones below it included."""
    total = dict(used)
    for name, size in used.items():
        above = name.rpartition("/")[0]
        while above:
            if above in total:
                total[above] += size
            above = above.rpartition("/")[0]
    return total
