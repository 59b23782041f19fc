"""The documented stack: leads over FastAPI and sqlite3, as its own tutorials would have it written.

Plain `def` endpoints, which FastAPI runs on its pool of threads; one connection of `sqlite3` with the defaults of both
(a rollback journal, `synchronous=FULL`: every commit is synced), and one lock, as a connection serves one thread at a
time. The file is the one that the environment's DATABASE names.
"""

import json
import os
import sqlite3
import threading
from datetime import datetime, timezone

from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel, Field

SCHEMA = """
CREATE TABLE IF NOT EXISTS leads (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    email TEXT NOT NULL,
    name TEXT,
    status TEXT NOT NULL,
    attributes TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS leads_by_email ON leads (email);
CREATE INDEX IF NOT EXISTS leads_by_status ON leads (status);
CREATE INDEX IF NOT EXISTS leads_by_created_at ON leads (created_at);
"""

app = FastAPI()
lock = threading.Lock()
database = sqlite3.connect(os.environ["DATABASE"], check_same_thread=False)
database.row_factory = sqlite3.Row
database.executescript(SCHEMA)


class NewLead(BaseModel):
    email: str = Field(min_length=3)
    name: str | None = None
    status: str = Field("new", min_length=1)
    attributes: dict = {}


class LeadChange(BaseModel):
    email: str | None = Field(None, min_length=3)
    name: str | None = None
    status: str | None = Field(None, min_length=1)
    attributes: dict | None = None


class Lead(BaseModel):
    id: int
    email: str
    name: str | None
    status: str
    attributes: dict
    created_at: str
    updated_at: str


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def lead_of(row: sqlite3.Row) -> Lead:
    return Lead(**{**dict(row), "attributes": json.loads(row["attributes"])})


@app.post("/leads", status_code=201)
def create_lead(new: NewLead, response: Response) -> Lead:
    at = now()
    values = (new.email.strip().lower(), new.name, new.status, json.dumps(new.attributes), at, at)
    with lock, database:
        row = database.execute(
            "INSERT INTO leads (email, name, status, attributes, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
            values,
        ).fetchone()
    response.headers["Location"] = f"/leads/{row['id']}"
    return lead_of(row)


@app.get("/leads/{lead_id}")
def get_lead(lead_id: int) -> Lead:
    with lock:
        row = database.execute("SELECT * FROM leads WHERE id = ?", (lead_id,)).fetchone()
    if row is None:
        raise HTTPException(404, "Lead not found")
    return lead_of(row)


@app.get("/leads")
def list_leads(limit: int = 100, offset: int = 0) -> list[Lead]:
    with lock:
        rows = database.execute("SELECT * FROM leads ORDER BY id LIMIT ? OFFSET ?", (limit, offset)).fetchall()
    return [lead_of(row) for row in rows]


@app.put("/leads/{lead_id}")
def update_lead(lead_id: int, change: LeadChange) -> Lead:
    given = change.model_dump(exclude_unset=True)
    if "attributes" in given:
        given["attributes"] = json.dumps(given["attributes"] or {})
    given["updated_at"] = now()
    columns = ", ".join(f"{name} = ?" for name in given)
    with lock, database:
        row = database.execute(
            f"UPDATE leads SET {columns} WHERE id = ? RETURNING *", (*given.values(), lead_id)
        ).fetchone()
    if row is None:
        raise HTTPException(404, "Lead not found")
    return lead_of(row)
