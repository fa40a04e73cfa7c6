"""Row 10: the country of an address from a file on this machine.

As a program, `python -m project.bench.lookup FILE`, it measures one process, its own.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from project.bench.figures import Figure, Table
from project.bench.stack import Stack
from project.tests.processes import ROOT

NETWORKS_4 = 80_000  # each a /24, from FIRST_4 on
NETWORKS_6 = 20_000  # each a /48, from FIRST_6 on
FIRST_4 = int(IPv4Address("1.0.0.0"))
FIRST_6 = int(IPv6Address("2a00::"))
ADDRESSES = 20_000
PASSES = 5


def measure(stack: Stack, table: Table, *, rounds: int) -> None:
    path = stack.folder / "country.mmdb"
    write_file(path)
    environment = {**os.environ, **stack.environment, "GEO_DATABASE": str(path)}
    measured = [_measured(path, environment) for _ in range(rounds)]
    tier, reader, whole, mebibytes = zip(*measured, strict=True)
    table.add(
        Figure(name="country by a local file of 100,000 networks: us", values=tier, aim=5),
        Figure(name="country by a local file: MiB more", values=mebibytes, aim=10),
        Figure(name="  the file's reader alone: us", values=reader),
        Figure(name="  from an address to country, source and network: us", values=whole),
    )


def write_file(path: Path) -> None:
    """Write the networks, each with the full record of some country."""
    from geo.countries import COUNTRIES
    from geo.tests import mmdb

    codes = sorted(COUNTRIES)
    networks = [f"{IPv4Address(FIRST_4 + number * 2**8)}/24" for number in range(NETWORKS_4)]
    networks += [f"{IPv6Address(FIRST_6 + number * 2**80)}/48" for number in range(NETWORKS_6)]
    chosen = random.Random(1)
    mmdb.write(path, {network: chosen.choice(codes) for network in networks})


def addresses() -> list[str]:
    """Different addresses of the file, in no order; one in five is of IPv6."""
    chosen = random.Random(2)
    found = [
        str(IPv4Address(FIRST_4 + chosen.randrange(NETWORKS_4 * 2**8)))
        for _ in range(ADDRESSES * 4 // 5)
    ]
    found += [
        str(IPv6Address(FIRST_6 + chosen.randrange(NETWORKS_6) * 2**80 + chosen.getrandbits(80)))
        for _ in range(ADDRESSES // 5)
    ]
    chosen.shuffle(found)
    return found


def _measured(path: Path, environment: dict[str, str]) -> tuple[float, ...]:
    done = subprocess.run(
        [sys.executable, "-m", "project.bench.lookup", str(path)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return tuple(map(float, done.stdout.split()))


def main(path: str) -> str:
    """Return microseconds by the tier, by its reader and by a whole look-up, and MiB."""
    import django

    django.setup()
    from geo.backends.database import Database, open_file
    from geo.ip import Visitor
    from geo.lookup import lookup

    visitors = [Visitor(ip=address) for address in addresses()]
    before = _mebibytes()
    tier = Database()
    assert all(tier.country_of(visitor, 1) for visitor in visitors)
    used = _mebibytes() - before
    reader = open_file(path)
    by_tier = _microseconds(lambda visitor: tier.country_of(visitor, 1), visitors)
    by_reader = _microseconds(lambda visitor: reader.get(visitor.ip), visitors)
    return f"{by_tier} {by_reader} {_microseconds(lookup, visitors)} {used}"


def _microseconds(action: Callable[[Any], object], values: Sequence[Any]) -> float:
    """CPU of the fastest of some passes: what else runs here slows the others."""

    def one_pass() -> float:
        started = time.process_time()
        for value in values:
            action(value)
        return time.process_time() - started

    return min(one_pass() for _ in range(PASSES)) / len(values) * 1e6


def _mebibytes() -> float:
    (resident,) = [
        line.split()[1]
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmRSS")
    ]
    return int(resident) / 1024


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1]) + "\n")
