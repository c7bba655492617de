"""The accounts: what used the processors, the disks, the memory; for every busy second a name."""

from publisher.ledger.accounts import Account, Balance, Clues, WorkGroup
from publisher.ledger.ledger import Ledger, open_ledger
from publisher.ledger.ledger_settings import LedgerSettings

__all__ = [
    "Account",
    "Balance",
    "Clues",
    "Ledger",
    "LedgerSettings",
    "WorkGroup",
    "open_ledger",
]
