"""What is written to Home Assistant's database, and what its user is told about it before."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time

from homeassistant.harness import House
from servers import wait_until

SECONDS = 60


def written(house: House, since: float, until: float) -> dict[str, int]:
    """Rows of our entities in the database."""
    path = house.assistant.config / "home-assistant_v2.db"
    query = (
        "select m.entity_id, count(*) from states s join states_meta m using (metadata_id) "
        "where s.last_updated_ts between ? and ? group by 1"
    )
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        rows = dict(database.execute(query, (since, until)).fetchall())
    return {name: count for name, count in rows.items() if name.partition(".")[2][:4] == "nas_"}


def test_the_estimate_is_what_is_written(house: House) -> None:
    # What comes last: the first row of every entity is behind us then.
    wait_until(
        lambda: (
            house.assistant.states().get("sensor.nas_fanwhy_cpu", {}).get("state")
            not in (None, "unknown", "unavailable")
        ),
        120,
    )
    since = time.time()
    found = house.daemon.command("homeassistant", "rows", "--seconds", str(SECONDS), "--json")
    until = time.time()
    assert found.returncode == 0, found.stderr
    report = json.loads(found.stdout)
    estimate = sum(report["seen"].values())
    tokens = 86400 // 300  # of the image, whether or not one fell into these seconds
    assert sum(report["rows_a_day"].values()) == round(estimate * 86400 / SECONDS) + tokens
    time.sleep(2)  # the recorder commits once a second
    rows = written(house, since, until)
    assert abs(sum(rows.values()) - estimate) <= max(4, 0.2 * estimate), (rows, report["seen"])
