"""The driver's own rules, without a peer and without a load: `python3 -m unittest discover -s tests/bench`."""

import sqlite3
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from driver import data, report
from driver.machine import HOME, Failed
from driver.processes import Fleet, free_port


def runs(rate, p99=1.0):
    return [{"rate": rate * turn, "p99": p99, "cpu": 1.0} for turn in (1, 2, 3)]


def result():
    """A result that meets its goals to the dot."""
    by_kind = {}
    for kind, wanted in report.RATES.items():
        by_kind[kind] = {"crm": runs(360_000)}
        for key, times in wanted.items():
            by_kind[kind][key] = runs(360_000 / times, p99=report.SLOWNESS[kind].get(key, 1) + 0.5)
    keys = {"crm": "crm", "fastapi": "A", "pocketbase": "B", "hello": "C", "checked": "D"}
    return {
        "date": "2026-01-01",
        "machine": {"CPU": "Z80", "cores": 1, "memory": "64 KiB", "kernel": "CP/M", "file system": "none", "crm": "1"},
        "options": {"quick": False, "rounds": 3, "seconds": 1, "pause": 60},
        "rounds": {
            "labels": keys,
            "runs": by_kind,
            "memory": {key: [{"idle": 1, "rss": 2, "peak": 3}] for key in keys},
        },
        "pauses": {"create": {"eleventh": 60.0}, "mixed": {"eleventh": 60.0}},
        "growth": {"small": "s", "large": "l", "leads": 9, "runs": {"get": {"s": runs(10), "l": runs(8)}}},
        "memory": {"streams": [1, 300_000, 400_000], "idle": 11.9, "peak": 63.9, "leads": 9},
        "command": {"ms": {"crm": 2.0, "sqlite3": 1.0}, "threads": 0, "binary": 12.0},
    }


class Report(unittest.TestCase):
    def test_goals_are_met_at_their_mark_and_missed_beyond_it(self):
        goals = report.goals(result())
        self.assertEqual(len(goals), 10 + 8 + 2 + 1 + 3 + 3)
        self.assertEqual([goal.what for goal in goals if not goal.met], [])
        worse = result()
        worse["rounds"]["runs"]["create"]["fastapi"] = runs(4_001, p99=79)
        worse["pauses"]["mixed"]["eleventh"] = 60.1
        worse["growth"]["runs"]["get"]["l"] = runs(7.9)
        worse["command"]["threads"] = 1
        missed = [goal.what for goal in report.goals(worse) if not goal.met]
        self.assertEqual(len(missed), 5, missed)

    def test_a_ratio_is_that_of_the_rounds(self):
        ours, theirs = [{"rate": rate} for rate in (10, 100, 30)], [{"rate": rate} for rate in (1, 100, 10)]
        self.assertEqual(report.ratio(ours, theirs, "rate"), 3)
        with self.assertRaises(ValueError):
            report.ratio(ours, theirs[1:], "rate")

    def test_the_readme_gets_the_tables_of_a_whole_run(self):
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(report, "ROOT", Path(folder)):
            readme = Path(folder, "tests/bench/README.md")
            readme.parent.mkdir(parents=True)
            readme.write_text("before\n")
            with self.assertRaises(Failed):
                report.write_readme(result())
            readme.write_text("before\n<!-- benchmark -->\nold\n<!-- /benchmark -->\nafter\n")
            report.write_readme(result())
            first = readme.read_text()
            report.write_readme(result())
            self.assertEqual(readme.read_text(), first)
            self.assertRegex(first, r"(?s)^before\n.*on Z80.*\| goal .*\n<!-- /benchmark -->\nafter\n$")
            self.assertNotIn("old", first)
            part = {name: value for name, value in result().items() if name != "growth"}
            quick = result() | {"options": {"quick": True}}
            for refused in (part, quick):
                with self.assertRaises(Failed):
                    report.write_readme(refused)
            self.assertEqual(readme.read_text(), first)


class Data(unittest.TestCase):
    def test_leads_are_many_different_and_in_no_order(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "leads.db")
            database = sqlite3.connect(file)
            columns = ", ".join(f"{name} TEXT NOT NULL" for name in data.COLUMNS.split(", ")[1:])
            database.execute(f"CREATE TABLE leads (id INTEGER PRIMARY KEY, {columns})")
            database.execute("CREATE INDEX leads_by_email ON leads (email)")
            database.close()
            data.fill(file, 1_000)
            database = sqlite3.connect(file)
            rows = database.execute(f"SELECT {data.COLUMNS} FROM leads ORDER BY id").fetchall()
            indexes = database.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'index'").fetchone()
            database.close()
        ids, emails, _, statuses, _, created, _ = zip(*rows)
        self.assertEqual(ids, tuple(range(1, 1_001)))
        self.assertEqual(len(set(emails)), 1_000)
        ascending = sum(first < second for first, second in zip(emails, emails[1:]))
        self.assertTrue(300 < ascending < 700, ascending)
        self.assertEqual(set(statuses), {"new", "contacted", "qualified", "discarded"})
        self.assertEqual(list(created), sorted(created))
        self.assertEqual(indexes, (1,))


class Processes(unittest.TestCase):
    def test_no_server_outlives_its_round(self):
        HOME.mkdir(parents=True, exist_ok=True)
        port = free_port()
        with self.assertRaises(KeyboardInterrupt), Fleet() as fleet:
            command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", port]
            process = fleet.start(command, port)
            self.assertEqual(process.ask("GET", "/")[0], 200)
            self.assertGreater(process.memory()["peak"], 1)
            raise KeyboardInterrupt
        self.assertIsNotNone(process.child.returncode)
        self.assertFalse(process.log.exists())

    def test_a_server_that_cannot_start_says_why(self):
        HOME.mkdir(parents=True, exist_ok=True)
        with self.assertRaisesRegex(Failed, "no such thing"), Fleet() as fleet:
            fleet.start([sys.executable, "-c", "raise SystemExit('no such thing')"], free_port())


if __name__ == "__main__":
    unittest.main()
