"""One run of wrk against one server, and what is measured beside it."""

import itertools
import json
import subprocess

from .machine import BENCH, Failed, run

# As the goals have it: one thread, 64 connections.
CONNECTIONS = 64

_runs = itertools.count(1)


def next_run():
    """A word that tells this run from all others, five letters long."""
    return f"r{next(_runs):04}"


def wrk(process, script, words, seconds):
    """The load of a script for so many seconds. Raises where anything but success was answered."""
    # Without a time limit of its own wrk would leave what takes longer than 2 s out of its percentiles.
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "60s", "-s", f"{script}.lua"]
    command += [f"http://127.0.0.1:{process.port}", "--", *map(str, words)]
    before = process.cpu()
    printed = run(*command, cwd=BENCH / "wrk", stderr=subprocess.STDOUT)
    spent = process.cpu() - before
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
    }
