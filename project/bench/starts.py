"""Row 9: what billing adds to the start of a process."""

import os
import subprocess
import sys

from project.bench.figures import Figure, Table
from project.bench.stack import Stack
from project.tests.processes import ROOT

# What web and worker load before their first request or task.
_START = """
import resource
import django
django.setup()
from django.urls import get_resolver
get_resolver().url_patterns
from project.celery import app
app.loader.import_default_modules()
used = resource.getrusage(resource.RUSAGE_SELF)
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(used.ru_utime + used.ru_stime, int(peak) / 1024)
"""


def measure(stack: Stack, table: Table, *, rounds: int) -> None:
    _start(stack, "")
    _start(stack, "stack")  # both once, so that the compiled files are there
    whole, without = [], []
    for _ in range(rounds):
        without.append(_start(stack, "stack"))
        whole.append(_start(stack, ""))
    pairs = list(zip(whole, without, strict=True))
    table.add(
        Figure(
            name="process start over the same stack without billing: CPU",
            values=[one[0] / other[0] for one, other in pairs],
            aim=1.15,
        ),
        Figure(
            name="process start over the same stack without billing: MiB more",
            values=[one[1] - other[1] for one, other in pairs],
            aim=6,
        ),
        Figure(name="  process start: CPU, s", values=[each[0] for each in whole]),
        Figure(name="  process start: MiB", values=[each[1] for each in whole]),
    )


def _start(stack: Stack, only: str) -> tuple[float, float]:
    environment = {**os.environ, **stack.environment, "BENCH_ONLY": only}
    done = subprocess.run(
        [sys.executable, "-c", _START],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    cpu, mebibytes = done.stdout.split()
    return float(cpu), float(mebibytes)
