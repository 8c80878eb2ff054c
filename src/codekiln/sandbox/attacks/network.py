"""Attacks by sockets: out of this machine, to its loopback, to sockets with and without paths."""

from __future__ import annotations

from codekiln.sandbox.attacks.attack import Attack

_SILENT = "the harness's sockets, which listen, see nobody"

ATTACKS = (
    Attack(
        "loopback", "connects and sends to ports of this machine, IPv4 and IPv6, TCP and UDP", _SILENT,
        "import socket\nfor name, port in host['ports'].items():\n"
        "  for place in (('127.0.0.1', '0.0.0.0', '10.0.2.2', '172.17.0.1') if name[-1] == '4' else ('::1', '::ffff:127.0.0.1')):\n"
        "    try:\n      kind = socket.SOCK_STREAM if name[:3] == 'tcp' else socket.SOCK_DGRAM\n"
        "      one = socket.socket(socket.AF_INET if name[-1] == '4' else socket.AF_INET6, kind); one.settimeout(0.05)\n"
        "      if kind == socket.SOCK_DGRAM: one.sendto(b'x', (place, port))\n      else: one.connect((place, port)); through(f'{place} {port}')\n"
        "    except OSError: pass",
    ),
    Attack(
        "network out", "TCP, UDP, names, ping, raw sockets, packets", "they fail",
        "import socket\ndef reach(family, kind, protocol, place):\n"
        "  with socket.socket(family, kind, protocol) as one:\n    one.settimeout(0.1); one.connect(place); one.send(bytes(64))\n"
        "for place in (('1.1.1.1', 443), ('8.8.8.8', 53), ('169.254.169.254', 80)):\n"
        "  attempt(f'TCP {place}', reach, socket.AF_INET, socket.SOCK_STREAM, 0, place)\n"
        "  attempt(f'UDP {place}', reach, socket.AF_INET, socket.SOCK_DGRAM, 0, place)\n"
        "attempt('IPv6', reach, socket.AF_INET6, socket.SOCK_DGRAM, 0, ('2606:4700:4700::1111', 53))\n"
        "attempt('a name', socket.getaddrinfo, 'example.com', 80)\n"
        "attempt('ping', reach, socket.AF_INET, socket.SOCK_DGRAM, 1, ('1.1.1.1', 0))\n"
        "attempt('raw', reach, socket.AF_INET, socket.SOCK_RAW, 1, ('1.1.1.1', 0))\n"
        "attempt('packets', socket.socket, 17, socket.SOCK_RAW, 0x300)",
    ),
    Attack(
        "other families of sockets", "vsock, Bluetooth, CAN, crypto, XDP, TIPC, SCTP; the routes by netlink", "they fail",
        "import socket\nfor family in (40, 31, 29, 38, 44, 30, 21, 9, 5, 4, 3, 15):\n  for kind in (1, 2, 3, 5):\n"
        "    attempt(f'family {family}', socket.socket, family, kind)\n"
        "attempt('SCTP', socket.socket, 2, 1, 132)\n"
        "def change():\n  with socket.socket(16, 3, 0) as one:\n"
        "    one.send(bytes.fromhex('2000000010000500010000000000000000000000010000000100000001000000'))\n"
        "    answer = one.recv(4096)\n    error = int.from_bytes(answer[16:20], 'little', signed=True)\n"
        "    if error: raise OSError(-error)\nattempt('a change of the network by netlink', change)",
    ),
    Attack(
        "sockets without paths", "connects and sends to the harness's abstract sockets, by socket and by socketpair", _SILENT,
        "import socket\nfor name, kind in (('abstract', 1), ('abstract-datagram', 2)):\n"
        "  place = '\\0' + host['sockets'][name][1:]\n"
        "  attempt(name, lambda: socket.socket(socket.AF_UNIX, kind).connect(place))\n"
        "  for one in (1, 2, 3, 5):\n    try:\n      left, right = socket.socketpair(socket.AF_UNIX, one)\n    except OSError: continue\n"
        "    try: left.sendto(b'x', place)\n    except OSError: pass\n    try: right.connect(place); right.send(b'x')\n    except OSError: pass",
    ),
    Attack(
        "sockets with paths", "connects and sends to the harness's sockets in folders", _SILENT,
        "import socket\nfor name, kind in (('path', 1), ('path-datagram', 2)):\n  place = host['sockets'][name]\n"
        "  attempt(name, lambda: socket.socket(socket.AF_UNIX, kind).connect(place))\n"
        "  for one in (1, 2, 3, 5):\n    try:\n      left, right = socket.socketpair(socket.AF_UNIX, one)\n    except OSError: continue\n"
        "    try: left.sendto(b'x', place)\n    except OSError: pass\n    try: right.connect(place); right.send(b'x')\n    except OSError: pass\n"
        "for place in ('/dev/log', '/run/systemd/journal/socket', '/run/systemd/notify', '/run/docker.sock', '/run/dbus/system_bus_socket'):\n"
        "  attempt(place, lambda: socket.socketpair(socket.AF_UNIX, 2)[0].sendto(b'', place))",
    ),
    Attack(
        "loopback from JavaScript", "connects to the harness's port", _SILENT,
        "const host = JSON.parse(require('fs').readFileSync('host.json'));\n"
        "const end = () => { console.log('TRIED'); process.exit(0); };\n"
        "const one = require('net').connect(host.ports.tcp4, '127.0.0.1', () => { console.log('THROUGH loopback'); end(); });\n"
        "one.on('error', end);", language="javascript", memory="data", quick=False,
    ),
    Attack(
        "loopback from Bash", "connects to the harness's port and reads its secrets", _SILENT,
        "port=$(grep -o '\"tcp4\": [0-9]*' host.json | grep -o '[0-9]*$')\n"
        "if (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null; then echo THROUGH loopback; fi\n"
        "cat /proc/1/environ /proc/$PPID/environ /etc/shadow /proc/*/cmdline 2>/dev/null; env\necho; echo TRIED",
        language="shell",
    ),
)  # fmt: skip
