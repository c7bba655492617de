"""Signs of mining in a command line: options and addresses that only miners have.

The words are looked at and forgotten. What leaves here is one yes or no: pool, wallet and password
may be secrets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

# Schemes of mining pools, as miners' manuals give them (XMRig, ethminer, T-Rex, lolMiner).
_POOL = re.compile(
    r"^(?:--?[a-z-]+=)?(?:stratum[12]?|daemon|eth(?:proxy|stratum)|xmr)\+(?:tcps?|udp|ssl|tls|wss?|https?)"
    r"\d*://|^(?:--?[a-z-]+=)?stratum2?(?:s|ss)?://",
    re.IGNORECASE,
)
# Options of XMRig and its relatives, of monerod, p2pool and geth where these mine themselves.
_OPTION = re.compile(
    r"^--(?:donate-level|donate-over-proxy|randomx-(?:mode|init|no-numa|no-rdmsr|wrmsr|1gb-pages)|"
    r"cpu-max-threads-hint|nicehash|start-mining|rig-id|max-cpu-usage|coin|mine|"
    r"miner\.(?:threads|etherbase)|cuda-bfactor(?:-hint)?|opencl-devices|mining-(?:address|pool)|"
    r"kaspad-address)(?:=|$)"
)
_ALONE = frozenset(
    {"--coin", "--mine", "--rig-id", "--max-cpu-usage", "--opencl-devices", "--miner.etherbase"}
)
"""Options of that kind which other programs may have too: two are needed, or a wallet."""
_ALGORITHM = re.compile(
    r"^(?:rx/\w+|cn(?:-\w+)?/\w+|argon2/\w+|randomx|cryptonight\S*|kawpow|ethash|etchash|autolykos2?|"
    r"progpow\S*|octopus|ghostrider|verushash|kheavyhash|equihash\S*|zelhash|beamhash\S*|cuckatoo\S*)$",
    re.IGNORECASE,
)
_ALGORITHM_OPTIONS = frozenset({"-a", "--algo", "--algorithm"})
# Addresses of wallets: Monero's 95 characters of base 58 begin with 4, a subaddress with 8; others
# have their coin before them; Ethereum's are 20 bytes, which a rig's name follows.
_WALLET = re.compile(
    r"\b[48][0-9AB][1-9A-HJ-NP-Za-km-z]{93}\b|\b(?:kaspa|karlsen|pyrin|spectre|nexa|xel):[a-z0-9]{20,}"
    r"|\bdero1[a-z0-9]{50,}|\bZEPHYR[1-9A-HJ-NP-Za-km-z]{60,}|\b0x[0-9a-fA-F]{40}[./]\w"
    r"|\b(?:DOGE|LTC|BTC|ETH|XMR|SHIB|TRX|SOL):[0-9A-Za-z]{20,}\."
)
_SHORTEST_WALLET = 24
_ADDRESS = re.compile(r"^(?:[\w-]+\.)+[\w-]+:\d{2,5}$")
_ALONG = frozenset(
    {"-u", "-k", "-B", "--user", "--keepalive", "--tls", "--background", "--cpu-priority"}
)
"""Options beside ``-o host:port`` in the line of a miner; of other programs, ``-o`` is a file."""
_POOL_OPTIONS = frozenset({"-o", "--url", "-pool", "--pool", "--server"})
_PAYEE_OPTIONS = frozenset({"--wallet", "-wallet", "--account", "--worker", "--rig", "--address"})
"""Options that tell who is paid; many programs have one of them."""
_POOL_NAMES = """
    2miners aikapool antpool apool bohemianpool braiins c3pool cedric-crispin crazypool cruxpool
    crypto-pool dwarfpool ekapool emcd ethermine ezil f2pool flexpool flockpool flypool gntl
    hashcity hashvault herominers hiveon k1pool kryptex luckpool minergate minexmr mining-dutch
    miningocean miningpoolhub moneroocean moneropool monerohash molepool mysrv nanopool
    nicehash ntminerpool p2pool poolbinance poolin prohashing qubicmine ravenminer rplant
    skypool slushpool solopool sparkpool supportxmr suprnova unmineable uupool viabtc vipor
    woolypooly xmrpool xmrvsbeast zephyrpool zergpool zpool
"""
_POOLS = re.compile(
    rf"(?:^|[=/@.])(?:{'|'.join(_POOL_NAMES.split())})(?:\.[a-z]{{2,8}}){{1,2}}(?::(?P<port>\d+))?(?:/|$)",
    re.IGNORECASE,
)
"""Addresses at the big mining pools."""

_READER_WORDS = """
    grep egrep fgrep rg ag ack zgrep find pgrep pkill ps sed awk gawk perl vi vim nvim nano
    emacs less more cat tail head jq curl wget git tcpdump tshark nmap suricata snort yara
    clamscan strace gdb echo printf man journalctl docker podman kubectl ansible
"""
_READERS = frozenset(_READER_WORDS.split())
_SYSTEM = ("/usr", "/bin", "/opt", "/snap", "/nix", "/gnu")
"""Programs that look for miners, or are told of them, and do not mine."""


def _reads(program: str) -> bool:
    """Whether it is one that looks for miners: the system's, and no ``./ps``."""
    folder, _, name = program.rpartition("/")
    return name in _READERS and (not folder or folder.startswith(_SYSTEM))


def mines(words: Sequence[str]) -> bool:
    """Whether a command line is a miner's by its options."""
    if len(words) < 2 or _reads(words[0]):
        return False
    weak, paid, asked = 0, False, False
    for word, value in pairwise((*words[1:], "")):
        if _POOL.match(word):
            return True
        if pool := _POOLS.search(word):
            if pool["port"] and "http" not in word[:9]:
                return True
            weak += 1
        option, equals, rest = word.partition("=")
        given = rest if equals else value
        if _OPTION.match(word):
            if option not in _ALONE:
                return True
            weak += 1
        elif option in _ALGORITHM_OPTIONS:
            weak += bool(_ALGORITHM.match(given))
        elif option in _POOL_OPTIONS:
            weak += bool(re.search(r":\d{2,5}\b", given))
            asked = asked or (option == "-o" and bool(_ADDRESS.match(given)))
        elif option in _PAYEE_OPTIONS:
            paid = True
        elif len(word) >= _SHORTEST_WALLET and _WALLET.search(word):
            weak += 1
    paid = paid or (asked and not _ALONG.isdisjoint(words))
    return weak + paid >= 2
