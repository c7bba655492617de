"""Which interfaces are cards, each once: on routers, NAS boxes, hypervisors, clouds, containers.

Each machine is the names that stand in its ``/sys/class/net``, with what the kernel tells of those
that matter. What links one to another is what the kernel's ``netdev_upper_dev_link`` makes
(net/dsa/user.c, drivers/net/hyperv/netvsc_drv.c, net/core/failover.c).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.sources import interfaces
from publisher.sources.files import KernelFiles


class Machine:
    """A machine to which interfaces are added."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.names: list[str] = []
        (root / "sys/class/net").mkdir(parents=True)

    def add(self, name: str, device: str = "", **files: str) -> None:
        """An interface.

        Args:
            name: of the interface.
            device: of the hardware, below ``/sys/devices``; empty for software.
            files: their contents by name; ``type`` is Ethernet's unless said otherwise.
        """
        home = f"sys/devices/{device}/net/{name}" if device else f"sys/devices/virtual/net/{name}"
        folder = self.root / home
        folder.mkdir(parents=True)
        self.names.append(name)
        for file, content in {"type": "1", "ifindex": str(len(self.names)), **files}.items():
            (folder / file).write_text(f"{content}\n")
        if device:
            (folder / "device").symlink_to("../..")
        (self.root / f"sys/class/net/{name}").symlink_to(f"../../../{home}")

    def folder(self, name: str, entry: str) -> None:
        (self.root / f"sys/class/net/{name}" / entry).mkdir()

    def above(self, lower: str, upper: str) -> None:
        """The kernel's links between an interface and one that stands on it."""
        net = self.root / "sys/class/net"
        (net / lower / f"upper_{upper}").symlink_to((net / upper).resolve())
        (net / upper / f"lower_{lower}").symlink_to((net / lower).resolve())

    def master(self, lower: str, upper: str) -> None:
        net = self.root / "sys/class/net"
        (net / lower / "master").symlink_to((net / upper).resolve())

    def cards(self) -> dict[str, str]:
        return {
            card.name: card.identity
            for card in interfaces.cards(KernelFiles(self.root), self.names)
        }


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


_SWITCH = "platform/soc/1e100000.ethernet/mdio_bus/mdio-bus/mdio-bus:1f"


def _router(machine: Machine) -> None:
    machine.add("lo", type="772")
    machine.add("eth0", "platform/soc/1e100000.ethernet")
    for port in ("lan1", "lan2", "lan3", "wan"):
        machine.add(port, _SWITCH, uevent=f"DEVTYPE=dsa\nINTERFACE={port}", iflink="2")
    machine.add("br-lan", uevent="DEVTYPE=bridge")
    machine.add("pppoe-wan", type="512")
    machine.add("phy0-ap0", "pci0000:00/0000:00:00.0/0000:01:00.0", uevent="DEVTYPE=wlan")


def test_ports_of_a_switch_are_cards_and_its_processors_end_is_none(machine: Machine) -> None:
    _router(machine)
    for port in ("lan1", "lan2", "lan3", "wan"):
        machine.above("eth0", port)
    machine.folder("eth0", "dsa")

    assert machine.cards().keys() == {"lan1", "lan2", "lan3", "wan", "phy0-ap0"}


@pytest.mark.parametrize("told", ["folder", "links", "number"])
def test_one_sign_of_a_switch_is_enough(machine: Machine, told: str) -> None:
    """Kernels before 5.9 have no links, those before 4.20 no folder."""
    _router(machine)
    if told == "folder":
        machine.folder("eth0", "dsa")
    elif told == "links":
        machine.above("eth0", "lan1")

    assert "eth0" not in machine.cards()
    assert "lan1" in machine.cards()


def test_a_second_processor_port_goes_with_the_first(machine: Machine) -> None:
    _router(machine)
    machine.add("eth1", "platform/soc/1e110000.ethernet")
    machine.folder("eth1", "dsa")
    machine.add("eth2", "platform/soc/1e120000.ethernet")

    assert machine.cards().keys() == {"lan1", "lan2", "lan3", "wan", "phy0-ap0", "eth2"}


@pytest.mark.parametrize("by", ["master", "upper"])
def test_a_clouds_card_counts_its_virtual_function(machine: Machine, by: str) -> None:
    """Hyper-V and Azure: the statistics of hv_netvsc have those of the function in them."""
    machine.add("eth0", "LNXSYSTM:00/VMBUS:00/000d3a05-2a31-000d-3a05-2a31000d3a05")
    machine.add("enP53091s1", "pci53091:00/cf63:00:02.0")
    (machine.master if by == "master" else machine.above)("enP53091s1", "eth0")

    assert machine.cards().keys() == {"eth0"}


def test_a_failover_counts_both_of_its_ways(machine: Machine) -> None:
    device = "pci0000:00/0000:00:03.0/virtio0"
    machine.add("ens3", device)
    machine.add("ens3nsby", device)
    machine.add("ens4", "pci0000:00/0000:00:04.0")
    for way in ("ens3nsby", "ens4"):
        machine.above(way, "ens3")
        machine.master(way, "ens3")

    assert machine.cards() == {"ens3": "pci-0000:00:03.0"}


def test_cards_below_software_are_counted_and_it_is_not(machine: Machine) -> None:
    """A bond below a bridge, with VLANs, as on Proxmox and in iopsystems/rezolus #1184."""
    machine.add("enp11s0f0np0", "pci0000:00/0000:0b:00.0")
    machine.add("enp11s0f1np1", "pci0000:00/0000:0b:00.1")
    for name in ("bond0", "vmbr0", "bond0.20", "fwbr101i0", "tap101i0", "team0", "ovs-system",
                 "macvlan0", "ipvl0", "wg0", "tun0", "veth7a2b", "cali123", "docker0"):  # fmt: skip
        machine.add(name)
    for name in ("enp11s0f0np0", "enp11s0f1np1"):
        machine.above(name, "bond0")
        machine.master(name, "bond0")
    machine.above("bond0", "vmbr0")
    machine.above("enp11s0f0np0", "macvlan0")

    assert machine.cards().keys() == {"enp11s0f0np0", "enp11s0f1np1"}


def test_who_listens_to_the_radio_is_no_card(machine: Machine) -> None:
    place = "pci0000:00/0000:00:1c.0/0000:02:00.0"
    machine.add("wlan0", place)
    machine.folder("wlan0", "phy80211")
    alone = machine.cards()
    machine.add("mon0", place, type="803")
    machine.folder("mon0", "phy80211")

    assert machine.cards() == alone == {"wlan0": "pci-0000:02:00.0"}


def test_an_access_point_on_the_same_radio_does_not_rename_the_card(machine: Machine) -> None:
    place = "platform/soc/fe300000.mmcnr/mmc_host/mmc1/mmc1:0001/mmc1:0001:1"
    machine.add("wlan0", place)
    machine.folder("wlan0", "phy80211")
    alone = machine.cards()["wlan0"]
    machine.add("ap0", place)
    machine.folder("ap0", "phy80211")

    assert machine.cards() == {"wlan0": alone, "ap0": "ap0"}


def test_a_child_of_a_card_does_not_rename_it(machine: Machine) -> None:
    place = "pci0000:00/0000:01:00.0"
    machine.add("ib0", place, type="32", iflink="1")
    alone = machine.cards()["ib0"]
    machine.add("ib0.8001", place, type="32", iflink="1")

    assert machine.cards() == {"ib0": alone, "ib0.8001": "ib0.8001"}


@pytest.mark.parametrize(
    ("name", "device", "port"),
    [
        ("vif1.0", "vif-1-0", ""),  # Xen: the host's end of a guest's card
        ("enp1s0f0npf0vf0", "pci0000:00/0000:01:00.0", "pf0vf0"),  # a function's, in the card
        ("en3f0pf0sf1", "pci0000:00/0000:01:00.0", "c1pf0sf1"),
    ],
)
def test_the_hosts_end_of_a_guests_card_is_no_card(
    machine: Machine, name: str, device: str, port: str
) -> None:
    machine.add("enp1s0f0np0", "pci0000:00/0000:01:00.0", phys_port_name="p0")
    machine.add(name, device, phys_port_name=port)

    assert machine.cards() == {"enp1s0f0np0": "pci-0000:01:00.0"}


@pytest.mark.parametrize("entry", ["tun_flags", "bridge", "bonding", "lower_eth0"])
def test_a_container_with_networks_of_its_own_has_one_card(machine: Machine, entry: str) -> None:
    """Docker in LXC: its bridge may be called as one likes."""
    machine.add("lo", type="772")
    machine.add("eth0", iflink="41")
    machine.add("inner")
    machine.folder("inner", entry)
    machine.add("mybridge", uevent="DEVTYPE=bridge\nINTERFACE=mybridge")
    machine.add("vethab12", iflink="3")

    assert machine.cards() == {"eth0": "eth0"}


@pytest.mark.parametrize("kind", ["macvlan", "ipvlan", "vlan", ""])
def test_a_containers_card_may_stand_on_the_hosts(machine: Machine, kind: str) -> None:
    machine.add("eth0", uevent=f"DEVTYPE={kind}", iflink="2")

    assert machine.cards() == {"eth0": "eth0"}


def test_a_container_of_openvz_has_a_card_without_ethernet(machine: Machine) -> None:
    machine.add("lo", type="772")
    machine.add("venet0", type="65535")
    machine.add("tun0", type="65534")

    assert machine.cards() == {"venet0": "venet0"}


def test_an_interface_that_goes_while_it_is_looked_at_is_left_out(machine: Machine) -> None:
    machine.add("eth0", "pci0000:00/0000:01:00.0")
    machine.names.append("usb0")

    assert machine.cards() == {"eth0": "pci-0000:01:00.0"}
