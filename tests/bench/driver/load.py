"""One run of wrk against one server, and what is measured beside it."""

import itertools
import json
import resource
import subprocess
from pathlib import Path

from .machine import BENCH, Failed, run
from .processes import TICKS

# As the goals have it: one thread, 64 connections.
CONNECTIONS = 64

_runs = itertools.count(1)


def next_run():
    """A word that tells this run from all others, five letters long."""
    return f"r{next(_runs):04}"


def wrk(process, script, words, seconds, headers=()):
    """The load of a script for so many seconds, each request with these headers too. Raises where anything but success was
    answered."""
    # Without a time limit of its own wrk would leave what takes longer than 2 s out of its percentiles.
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "60s", "-s", f"{script}.lua"]
    command += [word for header in headers for word in ("-H", header)]
    command += [f"http://127.0.0.1:{process.port}", "--", *map(str, words)]
    before, others = process.cpu(), Others(process)
    printed = run(*command, cwd=BENCH / "wrk", stderr=subprocess.STDOUT)
    spent, others = process.cpu() - before, others.share()
    line = next((line for line in printed.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise Failed(f"wrk printed no result: {printed}")
    result = json.loads(line.removeprefix("RESULT "))
    requests = result["requests"]
    if result["status"] or result["broken"]:
        raise Failed(
            f"{script}: {result['status']} answers of 400 or above and {result['broken']} broken connections"
            f" beside {requests} requests; such a run says nothing"
        )
    latencies = ["p50", "p99", "p999", "max", "eleventh"]
    return {
        "rate": requests / result["us"] * 1e6,
        "requests": requests,
        # Where nothing was answered at all it would have taken this long at least.
        **{name: result[name] / 1000 if requests else seconds * 1000 for name in latencies},
        "cpu": spent / max(requests, 1) * 1e6,
        "others": others,
    }


class Others:
    """What the rest of the machine does meanwhile, the kernel's own threads and other machines on the same processor
    (steal) included: the less, the better the figures."""

    def __init__(self, process):
        self.process = process
        self.start = self.look()

    def look(self):
        # user, nice, system, idle, iowait, irq, softirq, steal; the guests' are in the first two.
        times = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        ours = self.process.cpu() + children.ru_utime + children.ru_stime
        return sum(times) / TICKS, (sum(times) - times[3] - times[4]) / TICKS - ours

    def share(self):
        """Its part of all processors since this was made, from 0 to 1."""
        (all_before, before), (all_now, now) = self.start, self.look()
        return max(now - before, 0) / (all_now - all_before)
