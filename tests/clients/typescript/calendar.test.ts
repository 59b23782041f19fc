// The library ical.js, as it comes, reads the calendar.
// CLOSED_URL is the address of a service, CLOSED_TOKEN a token of it with the scope admin.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import createClient from "openapi-fetch";
import type { paths } from "./crm.js";

// Its declarations of types are not correct for TypeScript's strict checks, so it is loaded without them.
const library: string = "ical.js";
const { default: ICAL } = await import(library);

const { CLOSED_URL: url, CLOSED_TOKEN: token } = process.env;
assert(url && token, "CLOSED_URL and CLOSED_TOKEN");
const client = createClient<paths, "application/json">({
  baseUrl: url,
  headers: { authorization: `Bearer ${token}` },
});

test("a follow-up is read as it was written", async () => {
  const mark = randomUUID();
  const name = `Zoë; "Countess", 中文 ${"€ß😀".repeat(40)}`;
  const note = "one\ntwo; three, four\\n five\ttab";
  const lead = await client.POST("/leads", { body: { email: `${mark}@ts.example`, name, attributes: { Tel: 4411 } } });
  assert(lead.data);
  const lead_id = lead.data.id;
  const action = { lead_id, action_type: "call", timestamp: "2026-01-31 09:30:00", details: note };
  assert((await client.POST("/actions", { body: action })).data);
  const process = { name: mark, lead_id, next_followup_datetime: "2099-02-07 21:55:00" };
  assert((await client.POST("/processes", { body: process })).data);
  const made = await client.POST("/tokens", { body: { name: mark, scope: "calendar" } });
  assert(made.data?.path);

  const answer = await fetch(url + made.data.path);
  assert.equal(answer.headers.get("content-type"), "text/calendar; charset=utf-8");
  const calendar = new ICAL.Component(ICAL.parse(await answer.text()));
  assert.equal(calendar.getFirstPropertyValue("x-wr-calname"), "Follow-ups");
  const events = calendar.getAllSubcomponents("vevent");
  const found = events.find((one: any) => String(one.getFirstPropertyValue("summary")).includes(mark));
  assert(found);
  const event = new ICAL.Event(found);
  assert.equal(event.summary, `${name}: ${mark}`);
  assert.equal(event.description, `${mark}@ts.example\nPhone: 4411\nLast: call, 2026-01-31 09:30 UTC: ${note}`);
  assert.equal(event.startDate.toJSDate().toISOString(), "2099-02-07T21:55:00.000Z");
  assert.equal(event.duration.toSeconds(), 900);
  assert.equal(event.sequence, 1);
  const alarm = found.getFirstSubcomponent("valarm");
  assert(alarm);
  assert.equal(alarm.getFirstPropertyValue("action"), "DISPLAY");
  assert.equal(String(alarm.getFirstPropertyValue("trigger")), "PT0S");

  const known = { "if-none-match": answer.headers.get("etag") ?? "" };
  const again = await fetch(url + made.data.path, { headers: known });
  assert.equal(again.status, 304);
});
