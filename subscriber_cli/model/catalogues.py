"""The catalogues of all hosts; those that say the same are kept once."""

from __future__ import annotations

import json
from collections import Counter
from hashlib import blake2b

from subscriber_cli.model.catalogue import Catalogue
from subscriber_cli.model.values import Document, mapping


class Catalogues:
    """One ``Catalogue`` for each thing that is said, for as long as a host says it."""

    def __init__(self) -> None:
        self._known: dict[str, Catalogue] = {}
        self._holders: Counter[str] = Counter()

    def take(self, schema: Document) -> tuple[str, Catalogue]:
        """What a schema says, and the key by which another host has the same."""
        said = json.dumps([mapping(schema, "properties"), mapping(schema, "$defs")])
        key = blake2b(said.encode(), digest_size=16).hexdigest()
        if key not in self._known:
            self._known[key] = Catalogue.parse(schema)
        self._holders[key] += 1
        return key, self._known[key]

    def release(self, key: str) -> bool:
        """One holder less; true when that was the last and the catalogue is gone."""
        self._holders[key] -= 1
        if self._holders[key] > 0:
            return False
        del self._holders[key]
        self._known.pop(key, None)
        return True
