"""A FUSE file system that mounts and then never answers: ``hanging.py DIR (keep|refuse) [plain]``.

With ``keep`` it takes every request and keeps it, so that whoever asks cannot be killed; with
``refuse`` it takes none, as a server that was stopped. It prints a line when it is mounted and
ends, unmounting, when its standard input does. With ``plain`` it looks as ``/etc/pve`` of Proxmox
does.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import threading

_INIT = 26
_HEADER = struct.Struct("=IIQQIIII")  # of a request: length, operation, identity, …
_DETACH = 2


def main() -> None:
    folder, mode, *plain = sys.argv[1:]
    kind, source = (b"fuse", b"/dev/fuse") if plain else (b"fuse.hanging", b"hanging")
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
    if libc.mount(source, folder.encode(), kind, 0, options.encode()):
        raise OSError(ctypes.get_errno(), "cannot mount")
    request = os.read(device, 1 << 17)
    _, operation, identity, *_ = _HEADER.unpack_from(request)
    if operation != _INIT:
        raise OSError(f"expected INIT, found operation {operation}")
    # struct fuse_init_out: version 7.31, limits, and zeros
    answer = struct.pack("=IIIIHHIIHHI7I", 7, 31, 0, 0, 12, 9, 65536, 1, 0, 0, 0, *[0] * 7)
    os.write(device, struct.pack("=IiQ", 16 + len(answer), 0, identity) + answer)
    print("mounted", flush=True)
    if mode == "keep":
        threading.Thread(target=_keep, args=(device,), daemon=True).start()
    sys.stdin.read()
    libc.umount2(folder.encode(), _DETACH)
    os._exit(0)  # closes the device, which fails whoever still waits


def _keep(device: int) -> None:
    while True:
        os.read(device, 1 << 17)


main()
