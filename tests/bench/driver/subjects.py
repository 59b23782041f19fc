"""What is measured: crm, its peers, and its limits; how each is filled and started, and how it spells the four requests."""

import json
import shutil
import sqlite3

from . import data
from .machine import BENCH, CRM, HOME, LIMIT, VENV, Failed, run
from .processes import Fleet, free_port

IDS = range(1, data.BASE + 1)


class Subject:
    """A program in the comparison."""

    key = ""
    # As the tables have it.
    label = ""
    # The kinds of request it takes part in.
    kinds = ("get", "list", "update", "create")
    many = "/leads"
    page = "/leads?limit=50"
    change = "PUT"

    def one(self, id):
        """The path of a lead."""
        return f"/leads/{id}"

    def prepare(self):
        """Makes the filled database that every round begins with."""

    def place(self, folder):
        """A fresh copy of it for one round."""

    def start(self, fleet, folder):
        """Starts it on its copy."""
        raise NotImplementedError

    def count(self, folder):
        """The leads that it has stored."""
        raise NotImplementedError

    def load(self, kind, folder, tag):
        """The script and the words for a kind of request."""
        match kind:
            case "get":
                return "get", [write_paths(folder / f"{self.key}-get.txt", map(self.one, IDS))]
            case "list":
                return "get", [write_paths(folder / f"{self.key}-list.txt", [self.page])]
            case "update":
                return "update", [self.change, write_paths(folder / f"{self.key}-get.txt", map(self.one, IDS))]
            case "create":
                return "create", [self.many, tag]
            case "mixed":
                paths = write_paths(folder / f"{self.key}-get.txt", map(self.one, IDS))
                return "mixed", [self.many, tag, paths]

    def probe(self, process):
        """Asks each of its kinds once: a load of refusals would look fast."""
        body = json.dumps({"email": "Probe@Example.com", "name": "P", "status": "new", "attributes": {"city": "Rome"}})
        asked = {
            "get": ("GET", self.one(7), None),
            "list": ("GET", self.page, None),
            "update": (self.change, self.one(7), '{"status":"contacted","name":"Ada 1"}'),
            "create": ("POST", self.many, body),
        }
        for kind in self.kinds:
            method, path, body = asked[kind]
            status, _, answer = process.ask(method, path, body)
            if status not in (200, 201):
                raise Failed(f"{self.label}: {method} {path} answered {status}: {answer[:500]!r}")
            self.look_at(kind, answer)

    def look_at(self, kind, answer):
        """Refuses an answer that is not what the others give."""
        answer = json.loads(answer)
        rows = answer.get("items") if kind == "list" and isinstance(answer, dict) else answer
        rows = rows if kind == "list" else [rows]
        if len(rows) != (50 if kind == "list" else 1):
            raise Failed(f"{self.label}: {kind} answered {len(rows)} leads")
        fields = {"id", "email", "name", "status", "attributes", "created_at", "updated_at"}
        if not all(fields <= row.keys() and isinstance(row["attributes"], dict) for row in rows):
            raise Failed(f"{self.label}: {kind} does not answer whole leads: {rows[0]}")


def write_paths(file, paths):
    """A file of paths for wrk's scripts."""
    file.write_text("".join(f"{path}\n" for path in paths))
    return file.resolve()


def count(file):
    """The leads in a file, counted beside the program that has it open."""
    database = sqlite3.connect(file, timeout=30)
    try:
        return database.execute("SELECT count(*) FROM leads").fetchone()[0]
    finally:
        database.close()


class Crm(Subject):
    """crm as it is released, with nothing set but its address."""

    key, label = "crm", "crm"

    def __init__(self, leads=data.BASE):
        self.leads = leads

    def prepare(self):
        self.base = data.crm_file(self.leads)

    def place(self, folder):
        data.copy(self.base, folder / f"{self.key}.db")

    def start(self, fleet, folder):
        return serve(fleet, folder / f"{self.key}.db")

    def count(self, folder):
        return count(folder / f"{self.key}.db")


def serve(fleet, file):
    """crm on a file."""
    port = free_port()
    return fleet.start([CRM, "serve", "--host", "127.0.0.1", "--port", port, "--db", file], port)


class FastApi(Subject):
    """The documented stack."""

    key, label = "fastapi", "FastAPI + sqlite3"

    def prepare(self):
        self.base = HOME / "fastapi.db"
        for old in HOME.glob("fastapi.db*"):
            old.unlink()
        with Fleet() as fleet:
            self.serve(fleet, self.base)
        data.fill(self.base, data.BASE)

    def place(self, folder):
        data.copy(self.base, folder / "fastapi.db")

    def start(self, fleet, folder):
        return self.serve(fleet, folder / "fastapi.db")

    def serve(self, fleet, file):
        port = free_port()
        # Not bin/uvicorn, which names the place where the environment was made.
        command = [VENV / "bin" / "python", "-m", "uvicorn", "fastapi_crm:app", "--app-dir", BENCH / "peers", "--workers", "1"]
        command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--host", "127.0.0.1"]
        environment = {"DATABASE": str(file), "PYTHONDONTWRITEBYTECODE": "1"}
        return fleet.start([*command, "--port", port], port, environment)

    def count(self, folder):
        return count(folder / "fastapi.db")


class PocketBase(Subject):
    """PocketBase with a collection of the same fields and indexes that everybody may read and write, and without its log
    of requests. Its page of 50 is asked for without the count of all, which it would add."""

    key, label = "pocketbase", "PocketBase"
    many = "/api/collections/leads/records"
    page = "/api/collections/leads/records?perPage=50&skipTotal=1"
    change = "PATCH"

    def one(self, id):
        # Its ids are texts of 15 letters.
        return f"{self.many}/{id:015}"

    def prepare(self):
        self.base = HOME / "pocketbase"
        shutil.rmtree(self.base, ignore_errors=True)
        login = {"identity": "bench@example.com", "password": "benchmark-only"}
        with Fleet() as fleet:
            self.call("superuser", "upsert", *login.values())
            process = self.serve(fleet, self.base)

            def ask(method, path, body, headers=None):
                status, _, answer = process.ask(method, path, json.dumps(body), headers)
                if status != 200:
                    raise Failed(f"PocketBase: {method} {path} answered {status}: {answer!r}")
                return json.loads(answer)

            token = ask("POST", "/api/collections/_superusers/auth-with-password", login)["token"]
            headers = {"Authorization": token}
            ask("PATCH", "/api/settings", {"logs": {"maxDays": 0}}, headers)
            ask("POST", "/api/collections", self.collection(), headers)
        data.fill(self.base / "data.db", data.BASE, id="printf('%015d', id)", at="at || '.000Z'")

    def collection(self):
        """Its leads."""
        index = "CREATE INDEX leads_by_{0} ON leads ({0})"
        return {
            "name": "leads",
            "type": "base",
            **{rule: "" for rule in ["listRule", "viewRule", "createRule", "updateRule", "deleteRule"]},
            "fields": [
                {"name": "email", "type": "email", "required": True},
                {"name": "name", "type": "text"},
                {"name": "status", "type": "text", "required": True},
                {"name": "attributes", "type": "json"},
                {"name": "created_at", "type": "autodate", "onCreate": True},
                {"name": "updated_at", "type": "autodate", "onCreate": True, "onUpdate": True},
            ],
            "indexes": [index.format(field) for field in ["email", "status", "created_at"]],
        }

    def call(self, *words):
        run(VENV / "bin" / "pocketbase", *words, "--dir", self.base)

    def place(self, folder):
        data.copy_folder(self.base, folder / "pocketbase")

    def start(self, fleet, folder):
        return self.serve(fleet, folder / "pocketbase")

    def serve(self, fleet, folder):
        port = free_port()
        command = [VENV / "bin" / "pocketbase", "serve", f"--http=127.0.0.1:{port}", "--dir", folder]
        # It would write what is set up here as a migration beside its data, and find it there the next time.
        return fleet.start([*command, "--automigrate=false"], port)

    def count(self, folder):
        return count(folder / "pocketbase" / "data.db")


class Hello(Subject):
    """warp's own hello."""

    key, label, kinds = "hello", "warp's hello", ("get",)

    def one(self, id):
        return f"/hello/{id}"

    def start(self, fleet, folder):
        port = free_port()
        return fleet.start([LIMIT, "hello", port], port)

    def look_at(self, kind, answer):
        if answer != b"Hello, 7!":
            raise Failed(f"hello answered {answer!r}")


class Checked(Subject):
    """crm's create without a database."""

    key, label, kinds = "checked", "crm without a database", ("create",)

    def start(self, fleet, folder):
        port = free_port()
        return fleet.start([LIMIT, "create", port], port)
