"""The goals, and the tables that show what was measured."""

import operator
import re
import statistics
from dataclasses import dataclass

from .machine import ROOT, Failed

KIND_NAMES = {
    "get": "GET by id",
    "list": "list of 50",
    "update": "update",
    "create": "create",
    "status": "newest of a status, page by page",
    "range": "created since a day",
}

# How many times as fast as each peer crm has to be, and which part of its limit it has to reach.
RATES = {
    "create": {"fastapi": 90, "pocketbase": 10, "checked": 0.6},
    "get": {"fastapi": 48, "pocketbase": 11, "hello": 0.85},
    "list": {"fastapi": 40, "pocketbase": 10},
    "update": {"fastapi": 36, "pocketbase": 11},
}

# How many times the p99 of each peer has to be crm's.
SLOWNESS = {
    "create": {"fastapi": 80, "pocketbase": 1},
    "get": {"fastapi": 1, "pocketbase": 1},
    "list": {"fastapi": 1, "pocketbase": 1},
    "update": {"fastapi": 1, "pocketbase": 1},
}

SIGNS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}


@dataclass
class Goal:
    """A figure, and what it should be."""

    what: str
    figure: float
    sign: str
    wanted: float
    unit: str

    @property
    def met(self):
        return SIGNS[self.sign](self.figure, self.wanted)

    def cells(self):
        sign = {">=": "≥", "<=": "≤"}.get(self.sign, self.sign)
        wanted = f"{sign} {self.wanted:,g}{self.unit}"
        return [self.what, digits(self.figure) + self.unit, wanted, "met" if self.met else "**missed**"]

    def to_json(self):
        return {"what": self.what, "figure": self.figure, "goal": f"{self.sign} {self.wanted}{self.unit}", "met": self.met}


def goals(result):
    """All goals of the parts that the result has."""
    found = []
    if rounds := result.get("rounds"):
        runs, labels = rounds["runs"], rounds["labels"]
        for kind, wanted in RATES.items():
            for key, times in wanted.items():
                value = ratio(runs[kind]["crm"], runs[kind][key], "rate")
                found.append(Goal(f"{KIND_NAMES[kind]}, against {labels[key]}", value, ">=", times, " x"))
        for kind, wanted in SLOWNESS.items():
            for key, times in wanted.items():
                value = ratio(runs[kind][key], runs[kind]["crm"], "p99")
                sign = ">=" if times > 1 else ">"
                what = f"p99 of {KIND_NAMES[kind]}, that of {labels[key]} against crm's"
                found.append(Goal(what, value, sign, times, " x"))
    if pauses := result.get("pauses"):
        for kind, name in [("create", "creates"), ("mixed", "creates and reads in turn")]:
            what = f"eleventh slowest request of {result['options']['pause']} s of {name}"
            found.append(Goal(what, pauses[kind]["eleventh"], "<=", 60, " ms"))
    if growth := result.get("growth"):
        for kind, runs in growth["runs"].items():
            value = ratio(runs[growth["large"]], runs[growth["small"]], "rate")
            what = f"{KIND_NAMES[kind]}, {growth['leads']:,} leads against 10,000"
            found.append(Goal(what, value, ">=", 0.8, " x"))
    if memory := result.get("memory"):
        streamed = statistics.median(memory["streams"])
        found += [
            Goal("whole list, leads a second", streamed, ">=", 300_000, ""),
            Goal("memory of an idle server", memory["idle"], "<", 12, " MiB"),
            Goal(f"memory under the whole load, {memory['leads']:,} leads", memory["peak"], "<", 64, " MiB"),
        ]
    if command := result.get("command"):
        value = command["ms"]["crm"] / command["ms"]["sqlite3"]
        found += [
            Goal("`crm lead get 1`, against `sqlite3` with the same select", value, "<=", 2, " x"),
            Goal("threads that it starts", command["threads"], "<=", 0, ""),
            Goal("size of the binary", command["binary"], "<=", 24, " MiB"),
        ]
    return found


def ratio(ours, theirs, name):
    """The median of the ratios of each round: what slows down the machine for a while slows down both."""
    return statistics.median(our[name] / their[name] for our, their in zip(ours, theirs, strict=True))


def digits(value):
    """Three digits, or all of a whole number."""
    if value >= 100 or isinstance(value, int):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values):
    """The median, and between what it lies."""
    if len(values) == 1:
        return digits(values[0])
    return f"{digits(statistics.median(values))} ({digits(min(values))} to {digits(max(values))})"


def table(head, rows):
    """A table in Markdown that can be read as text too."""
    rows = [list(map(str, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "".join("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |\n" for line in lines)


def tables(result):
    """Everything that was measured."""
    parts = []
    if rounds := result.get("rounds"):
        labels = rounds["labels"]
        rows = []
        for kind, by_subject in rounds["runs"].items():
            for key in labels:
                if runs := by_subject.get(key):
                    rows.append(
                        [KIND_NAMES[kind], labels[key]]
                        + [spread([run[name] for run in runs]) for name in ("rate", "p99", "cpu")]
                    )
        parts.append(table(["", "", "requests a second", "p99, ms", "CPU a request, µs"], rows))
        rows = []
        for key, runs in rounds["memory"].items():
            rows.append([labels[key]] + [spread([run[name] for run in runs]) for name in ("idle", "rss", "peak")])
        parts.append(table(["memory, MiB", "at the start", "after the round", "at most"], rows))
    if growth := result.get("growth"):
        rows = []
        for kind, runs in growth["runs"].items():
            small, large = runs[growth["small"]], runs[growth["large"]]
            rates = [spread([run["rate"] for run in some]) for some in (small, large)]
            rows.append([KIND_NAMES[kind], *rates, f"{ratio(large, small, 'rate'):.2f} x"])
        parts.append(table(["requests a second", "10,000 leads", f"{growth['leads']:,} leads", ""], rows))
    rows = [goal.cells() for goal in goals(result)]
    parts.append(table(["goal", "is", "should be", ""], rows))
    return "\n".join(parts)


def about(result):
    """The machine, the versions and the day, as sentences."""
    machine, options = result["machine"], result["options"]
    named = dict(machine)
    place = f"{named.pop('CPU')}, {named.pop('cores')} cores, {named.pop('memory')}, {named.pop('kernel')}"
    place += f", {named.pop('file system')}"
    versions = ", ".join(f"{name} {version}" for name, version in named.items())
    others = list(values_of(result, "others"))
    busy = f" Other work took {statistics.median(others):.0%} of the processors, {max(others):.0%} at most." if others else ""
    return (
        f"Measured on {result['date']} on {place}, with {versions}. Rounds: {options['rounds']} with runs of"
        f" {options['seconds']} s; medians, in brackets the least and the most.{busy}\n"
    )


def values_of(tree, name):
    """The values under a name wherever it stands."""
    if isinstance(tree, list):
        tree = dict(enumerate(tree))
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == name:
                yield value
            yield from values_of(value, name)


BETWEEN = re.compile(r"(?<=<!-- benchmark -->\n).*?(?=<!-- /benchmark -->)", re.DOTALL)


def write_readme(result):
    """Puts the tables between their marks in tests/bench/README.md."""
    missing = [part for part in ("rounds", "pauses", "growth", "memory", "command") if part not in result]
    if missing:
        raise Failed(f"the README takes a whole run, and this one has no {', '.join(missing)}")
    if result["options"]["quick"]:
        raise Failed("the README takes a whole run, and this was a quick one")
    readme = ROOT / "tests/bench/README.md"
    text = readme.read_text()
    if not BETWEEN.search(text):
        raise Failed("tests/bench/README.md: expected the marks <!-- benchmark --> and <!-- /benchmark -->, each on its line")
    new = f"\n{about(result)}\n{tables(result)}\n"
    readme.write_text(BETWEEN.sub(lambda _: new, text))
