"""Options that only miners have, and command lines that only speak of them."""

from __future__ import annotations

import pytest

from publisher.ledger.naming.mining_signs import mines

WALLET = "4" + "A" + "b" * 93


@pytest.mark.parametrize(
    "line",
    [
        "/usr/bin/-bash -o stratum+tcp://pool.example:3333 -u x -p x",
        "./kswapd0 --url=stratum+ssl://pool.example:443",
        "/tmp/.x/systemd -o pool.example:443 --donate-level 1 -k --tls",
        "./app --randomx-1gb-pages -c config.json",
        "./app -o pool.example:3333 -a rx/0 -u w",
        "./app --algo=kawpow --server pool.example:4444",
        f"./app -o pool.example:3333 -u {WALLET}.worker",
        "./app --cpu-max-threads-hint=75",
        "monerod --non-interactive --start-mining=x",
        "geth --mine --miner.threads=4",
        "lolMiner --algo ETHASH --pool stratum+tcp://eth.example:4444",
        "./aB3xQ9kz --account x --pool qubic2.hk.apool.io:3334 --worker rig7",
        "/root/q --cpu --wallet x --url ws.qubicmine.pro",
        "./svc --pool pool.example:3333 --wallet x",
        "./svc -u x pool.supportxmr.com:443",
        "/opt/foo -pool eth.example:4444 -algo x --nicehash",
        "./svc -o 192.0.2.21:80 -k --tls",
        "./ps -B -o stratum+tcp://pool.example:45700 -u x",
        "./svc -o pool.example.org:3333 -u x -p x -t 8",
        "./svc -S eu1.ethermine.org:4444 -O x.rig",
        "./svc -a gr -o stratum+tcps://pool.example:5555 -u x",
        "./svc --mining-address kaspa:qr0123456789 --kaspad-address 127.0.0.1",
        f"./svc --server pool.woolypooly.com --user 0x{'a1' * 20}.rig",
    ],
)
def test_a_miner_is_known_by_its_options(line: str) -> None:
    assert mines(line.split())


@pytest.mark.parametrize(
    "line",
    [
        "xmrig",
        "grep -r stratum+tcp://pool.example /etc",
        "pkill -f stratum+tcp://",
        "monerod --non-interactive --db-salvage",
        "geth --syncmode snap --http",
        "ssh -o StrictHostKeyChecking=no -p 22 host",
        "curl -o out.bin https://example.com:8443/x",
        "cryptsetup benchmark -c aes-xts",
        "openssl enc -a -in x",
        "python3 train.py --algo ppo --server localhost:5000",
        "mysqld --server example:3306",
        "ntpd -g --stratum 3",
        "chronyd -o pool ntp.example",
        "freqtrade trade --coin BTC",
        "celery worker --pool solo --worker x",
        "firefox https://2miners.com",
        "p2pool --host node.example --wallet x --mini --stratum 0.0.0.0:3333",
        "ping xmrpool.eu",
        "game --opencl-devices 0",
        "geth --syncmode snap --miner.etherbase 0x0",
        "tool -o out.bin -u user -k",
        "logs -o collector.example.org:5044",
        f"wallet-watch --address 0x{'a1' * 20}",
        "",
    ],
)
def test_others_are_not(line: str) -> None:
    assert not mines(line.split())
