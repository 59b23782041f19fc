"""The parts of the benchmark. Each answers plain data, which goes into the result as it is."""

import os
import re
import statistics
import time
import urllib.parse
from pathlib import Path

from . import data, load
from .machine import CRM, Failed, run, say
from .processes import Fleet, folder
from .subjects import Checked, Crm, FastApi, Hello, PocketBase, write_paths

# The order within a round: what adds leads comes last.
KINDS = ("get", "list", "update", "create")


def turned(things, by):
    """The same in another order, so that none is always the first after a pause."""
    things = list(things)
    by %= len(things)
    return things[by:] + things[:by]


def rounds(options):
    """crm, its peers and its limits in turn: every kind of request, round after round on fresh copies of the same leads."""
    subjects = [Crm(), FastApi(), PocketBase(), Hello(), Checked()]
    for subject in subjects:
        subject.prepare()
    runs, memory = {}, {}
    for number in range(options.rounds):
        with folder() as place, Fleet() as fleet:
            place = Path(place)
            running = {}
            for subject in subjects:
                subject.place(place)
                running[subject.key] = process = subject.start(fleet, place)
                idle = process.memory()["rss"]
                subject.probe(process)
                memory.setdefault(subject.key, []).append({"idle": idle})
            for kind in KINDS:
                taking_part = [subject for subject in subjects if kind in subject.kinds]
                for subject in turned(taking_part, number):
                    process = running[subject.key]
                    load.wrk(process, *subject.load(kind, place, load.next_run()), 1)
                    stored = subject.count(place) if kind == "create" and subject.key != "checked" else None
                    measured = load.wrk(process, *subject.load(kind, place, load.next_run()), options.seconds)
                    if stored is not None and subject.count(place) < stored + measured["requests"]:
                        raise Failed(f"{subject.label} has answered more creates than it has stored")
                    runs.setdefault(kind, {}).setdefault(subject.key, []).append(measured)
                    told(f"round {number + 1}", kind, subject.label, measured)
            for subject in subjects:
                memory[subject.key][-1] |= running[subject.key].memory()
    labels = {subject.key: subject.label for subject in subjects}
    return {"labels": labels, "runs": runs, "memory": memory}


def told(where, kind, label, measured):
    say(
        f"  {where}, {kind:6} {label:22} {measured['rate']:9,.0f}/s  p99 {measured['p99']:8.2f} ms"
        f"  {measured['cpu']:7.1f} µs of CPU" + (f"  others {measured['others']:.0%}" if measured["others"] > 0.1 else "")
    )


def pauses(options):
    """How long the eleventh slowest request of a minute takes, of creates and of creates and reads in turn."""
    subject = Crm()
    subject.prepare()
    found = {}
    for kind in ["create", "mixed"]:
        with folder() as place, Fleet() as fleet:
            place = Path(place)
            subject.place(place)
            process = subject.start(fleet, place)
            words = subject.load(kind, place, load.next_run())
            found[kind] = load.wrk(process, *words, options.pause)
            told(f"{options.pause} s", kind, subject.label, found[kind])
            say(f"  the eleventh slowest: {found[kind]['eleventh']:.1f} ms, the slowest {found[kind]['max']:.1f} ms")
    return found


class Grown(Crm):
    """crm on a file of one size, with the lists of an indexed field beside the other kinds."""

    label = "crm"
    kinds = ("get", "status", "range", "update", "create")

    def __init__(self, leads):
        super().__init__(leads)
        self.key = f"crm-{leads}"
        self.label = f"crm, {leads:,} leads"

    def lists(self, process, place):
        """Files with the paths of both lists: pages of a status, newest first, one after another; and what was created
        from a day on, oldest first."""
        paths, path = [], "/leads?status=qualified&sort=-created_at&limit=50"
        for _ in range(20):
            paths.append(path)
            status, headers, _ = process.ask("GET", path)
            link = re.fullmatch(r'<(.*)>; rel="next"', headers.get("Link", ""))
            if status != 200 or link is None:
                raise Failed(f"{self.label}: {path} answered {status} and no next page")
            path = urllib.parse.urljoin(path, link[1])
        days = [f"{year}-{month:02}-{day:02}" for year in (2022, 2023) for month in range(1, 13) for day in range(1, 29)]
        ranges = [f"/leads?created_at=gte:{day}&sort=created_at&limit=50" for day in days]
        self.paths = {
            "status": write_paths(place / f"{self.key}-status.txt", paths),
            "range": write_paths(place / f"{self.key}-range.txt", ranges),
        }

    def load(self, kind, folder, tag):
        if kind in self.paths:
            return "get", [self.paths[kind]]
        return super().load(kind, folder, tag)


def growth(options):
    """The same crm on a small and on a large file. Every round begins with a fresh copy of the small one; the large one
    is copied once and keeps what the rounds add, which is little beside what it has."""
    small, large = Grown(data.BASE), Grown(options.large)
    runs = {}
    with folder() as kept:
        kept = Path(kept)
        for subject in (small, large):
            subject.prepare()
        large.place(kept)
        for number in range(options.rounds):
            with folder() as place, Fleet() as fleet:
                place = Path(place)
                small.place(place)
                data.warm(kept / f"{large.key}.db")
                running = {small.key: small.start(fleet, place), large.key: large.start(fleet, kept)}
                for subject in (small, large):
                    subject.lists(running[subject.key], place)
                for kind in small.kinds:
                    for subject in turned((small, large), number):
                        process = running[subject.key]
                        load.wrk(process, *subject.load(kind, place, load.next_run()), 2)
                        measured = load.wrk(process, *subject.load(kind, place, load.next_run()), options.seconds)
                        runs.setdefault(kind, {}).setdefault(subject.key, []).append(measured)
                        told(f"round {number + 1}", kind, subject.label, measured)
    return {"small": small.key, "large": large.key, "leads": options.large, "runs": runs}


def memory(options):
    """A server without work, then one with very many leads: under the whole load, and while it streams all of them."""
    found = {"leads": options.many}
    for leads in (data.BASE, options.many):
        subject = Crm(leads)
        subject.prepare()
        with folder() as place, Fleet() as fleet:
            place = Path(place)
            subject.place(place)
            process = subject.start(fleet, place)
            if leads == data.BASE:
                found["idle"] = process.memory()["rss"]
                continue
            data.warm(place / f"{subject.key}.db")
            found["streams"] = [stream(process, leads) for _ in range(options.rounds + 1)][1:]
            for kind in ("get", "list", "update", "create", "mixed"):
                measured = load.wrk(process, *subject.load(kind, place, load.next_run()), options.seconds)
                told(f"{leads:,} leads", kind, subject.label, measured)
            found["peak"] = process.memory()["peak"]
    streamed = statistics.median(found["streams"])
    say(f"  idle {found['idle']:.1f} MiB, at most {found['peak']:.1f} MiB, streams {streamed:,.0f} leads/s")
    return found


def stream(process, leads, headers=()):
    """The whole list to nowhere: leads a second."""
    url = f"http://127.0.0.1:{process.port}/leads"
    given = [word for header in headers for word in ("-H", header)]
    size, seconds = run("curl", *given, "-sS", "--fail", "-o", "/dev/null", "-w", "%{size_download} %{time_total}", url).split()
    if int(size) < leads * 200:
        raise Failed(f"the whole list of {leads} leads has {size} bytes, which is too few")
    return leads / float(seconds)


def command(options):
    """A command of crm's against sqlite3's, started in turn, and what crm's takes."""
    subject = Crm()
    subject.prepare()
    with folder() as place:
        place = Path(place)
        subject.place(place)
        file = place / "crm.db"
        environment = {"PATH": os.environ["PATH"], "HOME": str(place)}
        words = {
            "crm": [str(CRM), "lead", "get", "1", "--db", str(file)],
            "sqlite3": ["sqlite3", str(file), "select * from leads where id = 1"],
        }
        times = {name: [] for name in words}
        for number in range(options.commands):
            for name in turned(words, number):
                times[name].append(wall(words[name], environment))
        trace = place / "trace.txt"
        traced = ["strace", "-f", "-qq", "-e", "trace=clone,clone3,fork,vfork", "-o", trace, *words["crm"]]
        run(*traced, env=environment)
        threads = sum("CLONE_THREAD" in line for line in trace.read_text().splitlines())
    medians = {name: statistics.median(all) for name, all in times.items()}
    found = {"ms": medians, "threads": threads, "binary": CRM.stat().st_size / 2**20}
    say(f"  crm {medians['crm']:.2f} ms, sqlite3 {medians['sqlite3']:.2f} ms, {threads} threads")
    return found


def wall(words, environment):
    """How long a command takes from its start to its end, in milliseconds."""
    # Not through `subprocess`, whose own work would take longer than the commands and make them look alike.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    start = time.perf_counter()
    child = os.posix_spawnp(words[0], words, environment, file_actions=[(os.POSIX_SPAWN_DUP2, nowhere, 1)])
    _, status = os.waitpid(child, 0)
    spent = (time.perf_counter() - start) * 1000
    os.close(nowhere)
    if status != 0:
        raise Failed(f"`{' '.join(words)}` failed")
    return spent


PARTS = {"rounds": rounds, "pauses": pauses, "growth": growth, "memory": memory, "command": command}
