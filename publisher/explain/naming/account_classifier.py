"""Classification of accounts, with the rules loaded when the first account is to be named."""

from __future__ import annotations

import logging
from typing import Final

from publisher.errors import ConfigError
from publisher.explain.naming.classifier import Classification, Classifier
from publisher.explain.naming.rules import RuleBook, load
from publisher.ledger.accounts import Account

log = logging.getLogger(__name__)

_SEEN_SECONDS: Final = 6.0
_MOST_SEEN: Final = 256


class AccountClassifier:
    """What kind of work accounts do.

    Args:
        rules_file: the user's own rules.
        rules: the rules, if they were loaded and checked already.
    """

    def __init__(self, rules_file: str | None, rules: RuleBook | None = None) -> None:
        self._rules_file = rules_file
        self._classifier: Classifier | None = None
        self._seen: dict[str, tuple[float, Classification]] = {}
        self.take_rules(rules)

    def classify(self, account: Account) -> Classification:
        """What kind of work an account's group does."""
        if self._classifier is None:
            self._classifier = Classifier(self._load())
        return self._classifier.classify(account.group, account.clues)

    def at_a_glance(self, account: Account, now: float) -> Classification:
        """Likewise, as seen some seconds ago: what works in a busy group changes all the time.

        Args:
            account: of the group.
            now: monotonic seconds.
        """
        key = account.group.key
        seen = self._seen.get(key)
        if seen is not None and now - seen[0] < _SEEN_SECONDS:
            return seen[1]
        if len(self._seen) >= _MOST_SEEN:
            self._seen.clear()
        found = self.classify(account)
        self._seen[key] = now, found
        return found

    def take_rules(self, rules: RuleBook | None) -> None:
        """Goes on with other rules; ``None``: they are loaded when an account is to be named."""
        self._classifier = None if rules is None else Classifier(rules)
        self._seen.clear()

    def _load(self) -> RuleBook:
        try:
            return load(self._rules_file)
        except ConfigError as error:  # it was checked, and has changed since
            log.warning("%s; the shipped rules alone are used until the next reload", error)
            return load()
