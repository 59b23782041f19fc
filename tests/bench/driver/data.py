"""The leads that the databases are filled with: the same ones for all, written by SQL."""

import hashlib
import os
import shutil
import sqlite3
from pathlib import Path

from .machine import CRM, HOME, say
from .processes import Fleet, free_port

# What a round begins with, and the ids that are read and changed.
BASE = 10_000

# Everything follows from the number of a lead, so that each run has the same ones. Addresses begin with the number after
# a multiplication by a prime, which puts them into no order; `created_at` runs with the id over the years 2022 to 2024.
ROWS = """
WITH RECURSIVE
    numbers (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM numbers WHERE id < :count),
    mixed (id, h, at) AS (
        SELECT id, id * 2654435761 % 4294967291,
            datetime(1640995200 + CAST(94608000.0 * id / :count AS INTEGER), 'unixepoch')
        FROM numbers
    ),
    words (id, h, at, first, family, company, city, status) AS (
        SELECT id, h, at,
            trim(substr('Ada     Grace   Alan    Edsger  Barbara Donald  Frances Niklaus ', (h >> 4) % 8 * 8 + 1, 8)),
            trim(substr('LovelaceHopper  Turing  DijkstraLiskov  Knuth   Allen   Wirth   ', (h >> 8) % 8 * 8 + 1, 8)),
            trim(substr('Acme    Globex  Initech Hooli   UmbrellaStark   Wayne   Tyrell  ', (h >> 12) % 8 * 8 + 1, 8)),
            trim(substr('London  Paris   Berlin  Madrid  Rome    Vienna  Oslo    Warsaw  ', (h >> 16) % 8 * 8 + 1, 8)),
            trim(substr(
                'new      new      new      new      new      contactedcontactedqualifiedqualifieddiscarded',
                h % 10 * 9 + 1, 9))
        FROM mixed
    )
SELECT {id},
    printf('%08x.%s@example.com', h, lower(family)), first || ' ' || family, status,
    printf('{{"company":"%s","city":"%s","source":"fair","score":%d}}', company, city, h % 100), {at}, {at}
FROM words
"""

COLUMNS = "id, email, name, status, attributes, created_at, updated_at"


def fill(file, count, id="id", at="at"):
    """Puts so many leads into the empty table of a database that its own program has made."""
    database = sqlite3.connect(file)
    (journal,) = database.execute("PRAGMA journal_mode").fetchone()
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    with database:
        # Written with indexes one by one, ten million addresses in no order would take hours.
        indexes = database.execute(
            "SELECT name, sql FROM sqlite_schema WHERE tbl_name = 'leads' AND type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:
            database.execute(f'DROP INDEX "{name}"')
        database.execute("PRAGMA cache_size = -1000000")
        database.execute(f"INSERT INTO leads ({COLUMNS}) {ROWS.format(id=id, at=at)}", {"count": count})
        for _, sql in indexes:
            database.execute(sql)
    database.execute(f"PRAGMA journal_mode = {journal}")
    database.close()
    sync(file)


def crm_file(count, crm=CRM, kept_as="leads"):
    """A file of crm's with so many leads. It is kept for the next run, unless crm's schema or the leads have changed."""
    with Fleet() as fleet:
        empty = HOME / "empty.db"
        for old in HOME.glob("empty.db*"):
            old.unlink()
        port = free_port()
        fleet.start([crm, "serve", "--host", "127.0.0.1", "--port", port, "--db", empty], port)
    database = sqlite3.connect(empty)
    schema = database.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()
    version = database.execute("PRAGMA user_version").fetchone()
    database.close()
    key = hashlib.sha256(repr((schema, version, count, ROWS)).encode()).hexdigest()[:12]
    file = HOME / f"{kept_as}-{count}-{key}.db"
    if not file.exists():
        for old in HOME.glob(f"{kept_as}-{count}-*"):
            old.unlink()
        say(f"writing {count:,} leads")
        fresh = HOME / "fresh.db"
        shutil.copyfile(empty, fresh)
        fill(fresh, count)
        fresh.rename(file)
    return file


def copy(file, to):
    """A copy that is on the disk when this answers, so that no round pays for it."""
    shutil.copyfile(file, to)
    sync(to)
    return to


def copy_folder(folder, to):
    """The same for a folder."""
    shutil.copytree(folder, to)
    for file in Path(to).rglob("*"):
        if file.is_file():
            sync(file)
    return to


def sync(file):
    """Waits until a file is on the disk."""
    descriptor = os.open(file, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def warm(file):
    """Reads a file once, so that the system has it in memory."""
    with open(file, "rb", buffering=0) as opened:
        block = bytearray(1 << 20)
        while opened.readinto(block):
            pass
