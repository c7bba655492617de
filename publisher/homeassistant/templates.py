"""What Home Assistant takes out of our payloads, as Jinja templates.

Where a template makes one value of several fields, a function beside it does the same, for those
who foresee what Home Assistant will write down.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from publisher.contract import topics
from publisher.contract.readings import EVENT_KINDS
from publisher.homeassistant.naming import said_by_template

PROBLEM_STATES = ("hot", "pressure")
NO_CAUSE = "Nothing"
NOBODY = "Nobody"
# The causes and the evidence; where even these are long, the state must do: Home Assistant's
# database takes no more than 16,384 bytes of attributes. One called "state" it drops.
_ATTRIBUTES = (
    "{% set all = {'host_state': value_json.state | default(none), "
    "'since': value_json.since | default(none), "
    "'hint': value_json.hint | default(none), "
    "'causes': value_json.causes | default([]), "
    "'evidence': value_json.evidence | default({})} | tojson %}"
    "{{ all if all | length < 5000 else {'host_state': value_json.state | default(none), "
    "'since': value_json.since | default(none)} | tojson }}"
)
# What automations go by, which reads the same for ever.
ATTRIBUTES_OF = {
    f"{topics.EXPLANATION}_headline": _ATTRIBUTES,
    f"{topics.EXPLANATION}_cause": "{{ {'category': value_json.cause | default(none)} | tojson }}",
    f"{topics.EXPLANATION}_state": (
        "{{ {'host_state': value_json.state | default(none)} | tojson }}"
    ),
    "disk_fullest_percent": (
        "{{ {'mount_point': value_json.disk_fullest_mount_point | default(none)} | tojson }}"
    ),
}
QUIET = f"'{NO_CAUSE}'"
PROBLEM = (
    "{{ 'ON' if value_json.state in ("
    + ", ".join(f"'{state}'" for state in PROBLEM_STATES)
    + ") else 'OFF' }}"
)
_OF_CULPRIT = (
    "share_percent",
    "resource",
    "category",
    "since",
    "on_behalf_of",
    "usual",
    "reason",
    "unit",
    "container_id",
    "to_stop",
)
CULPRIT = f"{{{{ (value_json.culprit | default('{NOBODY}'))[:255] }}}}"
CULPRIT_ATTRIBUTES = (
    "{% set first = (value_json.causes | default([]) | first) | default({}) %}{{ {"
    + ", ".join(f"'{name}': first.{name} | default(none)" for name in _OF_CULPRIT)
    + "} | tojson }}"
)
# "Borg backup (nightly): 81 % of CPU use, for nextcloud, since 02:10", in Home Assistant's time.
CAUSE = (
    "{%% set all = value_json.causes | default([]) %%}{%% set place = %d %%}"
    "{%% set cause = all[place] if all | length > place else {} %%}"
    "{%% set since = as_datetime(cause.since, none) if cause.since is defined else none %%}"
    "{%% set day = '%%H:%%M' if since and now() - since < timedelta(hours=20) "
    "else '%%-d %%b %%H:%%M' %%}"
    f"{{{{ (cause.name | default('{NOBODY}') ~ (': ' ~ cause.told if cause.told is defined "
    "else '') ~ (', since ' ~ as_local(since).strftime(day) if since else ''))[:255] }}"
)


def cause_of(body: Mapping[str, Any], place: int) -> Any:
    """What a cause's templates take out of a payload."""
    causes = body.get("causes")
    return causes[place] if isinstance(causes, list) and len(causes) > place else None


_EVENT_ATTRIBUTES = "'event': value_json.event | default(none), " + ", ".join(
    f"'{name}': value_json.{name} | default(none)"
    for name in (
        "message",
        "label",
        "category",
        "alert",
        "severity",
        "resource",
        "began",
        "duration_seconds",
        "unwatched",
        "id",
    )
)
# What begins is told by *Why* already, and so is what ends at once; what may be all that an
# automation waits for is told always.
_BRIEF_SECONDS = 60
_ALWAYS_TOLD = ("backup", "cryptomining")
_MINOR = (
    f"{{% set grave = {list(PROBLEM_STATES)} %}}{{% set e = value_json %}}"
    "{% set minor = this.state not in ('unknown', 'unavailable') "
    f"and e.category | default('') not in {list(_ALWAYS_TOLD)} "
    "and (e.event == 'cause_began' or e.event == 'cause_ended' "
    f"and e.duration_seconds | default(0) < {_BRIEF_SECONDS} or e.event == 'state_changed' "
    "and e.state not in grave and e.previous_state | default('') not in grave) %}"
)
LAST_EVENT = (
    _MINOR + "{% set long = e.duration_seconds | default(0) if e.event == 'cause_ended' else 0 %}"
    "{% set after = ' after %.1f h' % (long / 3600) if long >= 5400 "
    "else ' after %d min' % (long / 60) if long >= 60 else '' %}"
    "{{ this.state if minor else (e.message | default('None') ~ after)[:255] }}"
)
LAST_EVENT_ATTRIBUTES = (
    _MINOR + f"{{{{ (this.attributes if minor else {{{_EVENT_ATTRIBUTES}}}) | tojson }}}}"
)


def is_told(body: Mapping[str, Any]) -> bool:
    """What the templates above decide."""
    if body.get("category") in _ALWAYS_TOLD:
        return True
    match body.get("event"):
        case "cause_began":
            return False
        case "cause_ended":
            lasted = body.get("duration_seconds")
            return isinstance(lasted, int | float) and lasted >= _BRIEF_SECONDS
        case "state_changed":
            return (
                body.get("state") in PROBLEM_STATES or body.get("previous_state") in PROBLEM_STATES
            )
        case _:
            return True


EVENT = (
    "{{ {'event_type': "
    + said_by_template("value_json.event", EVENT_KINDS)
    + f", {_EVENT_ATTRIBUTES}}} | tojson }}}}"
)
INSTALLED = "{{ {'installed_version': value_json.fanwhy_version} | tojson }}"
# A plain version, or JSON with one.
LATEST = "{{ value_json.latest_version | default('') if value_json is mapping else value | trim }}"
