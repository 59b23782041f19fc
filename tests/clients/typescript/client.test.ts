// The client that openapi-typescript and openapi-fetch make of /openapi.json, used as it is.
// OPEN_URL is the address of a service that is open.

import assert from "node:assert/strict";
import { test } from "node:test";
import createClient from "openapi-fetch";
import type { components, paths } from "./crm.js";

const url = process.env.OPEN_URL;
assert(url, "OPEN_URL");
// Without a media type the answer of a list has the type of its NDJSON, a text, too.
const client = createClient<paths, "application/json">({ baseUrl: url });
type LeadUpdate = components["schemas"]["LeadUpdate"];

/** The answer of a request that has to succeed. */
async function done<T>(request: Promise<{ data?: T; error?: unknown }>): Promise<T> {
  const { data, error } = await request;
  assert.equal(error, undefined, JSON.stringify(error));
  assert(data !== undefined);
  return data;
}

/** The cursor of the next page. */
function next(response: Response): string | null {
  const link = /<([^>]+)>; rel="next"/.exec(response.headers.get("link") ?? "");
  return link && new URL(link[1]!, url).searchParams.get("after");
}

function lead(email: string, rest: Partial<components["schemas"]["LeadCreate"]> = {}) {
  return done(client.POST("/leads", { body: { email, ...rest } }));
}

function at(id: number) {
  return { params: { path: { id } } };
}

test("a create needs the required fields alone and answers what a missing field is", async () => {
  const made = await lead("one@ts.example");
  assert.equal(made.status, "new");
  assert.equal(made.name, null);
  assert.deepEqual(made.attributes, {});
  await done(client.DELETE("/leads/{id}", at(made.id)));
});

test("an update changes the fields that it names and no other", async () => {
  const made = await lead("won@ts.example", {
    name: "Ada",
    status: "won",
    attributes: { company: "Acme", size: 3 },
  });
  // The type lets each field be left out.
  const body: LeadUpdate = { name: "Ada L." };
  for (const changed of [
    await done(client.PATCH("/leads/{id}", { ...at(made.id), body })),
    await done(client.PUT("/leads/{id}", { ...at(made.id), body })),
  ]) {
    assert.equal(changed.name, "Ada L.");
    assert.equal(changed.status, "won");
    assert.deepEqual(changed.attributes, { company: "Acme", size: 3 });
  }
  const merged = await done(
    client.PATCH("/leads/{id}", { ...at(made.id), body: { attributes: { city: "London", size: null } } }),
  );
  assert.deepEqual(merged.attributes, { company: "Acme", city: "London" });
  const cleared = await done(
    client.PATCH("/leads/{id}", { ...at(made.id), body: { name: null, attributes: null } }),
  );
  assert.equal(cleared.name, null);
  assert.equal(cleared.status, "won");
  assert.deepEqual(cleared.attributes, {});
  await done(client.DELETE("/leads/{id}", at(made.id)));
});

test("a record is put back as it was read", async () => {
  const made = await lead("back@ts.example", { name: "Back", attributes: { a: [1, { b: null }] } });
  const read = await done(client.GET("/leads/{id}", at(made.id)));
  const { data, response } = await client.PUT("/leads/{id}", { ...at(made.id), body: read });
  assert.deepEqual(data, made);
  assert.equal(response.headers.get("etag"), '"1"');
  await done(client.DELETE("/leads/{id}", at(made.id)));
});

test("actions and processes too are created, changed, listed and deleted", async () => {
  const { id: lead_id } = await lead("both@ts.example");
  const action = await done(
    client.POST("/actions", { body: { lead_id, action_type: "call", timestamp: "2026-01-31 09:30:00" } }),
  );
  const told = await done(client.PATCH("/actions/{id}", { ...at(action.id), body: { details: "Asked" } }));
  assert.deepEqual(told, { ...action, details: "Asked", description: "Asked", updated_at: told.updated_at });
  const process = await done(
    client.POST("/processes", { body: { lead_id, name: "Quote", status: "paused", last_action_id: action.id } }),
  );
  const renamed = await done(client.PATCH("/processes/{id}", { ...at(process.id), body: { name: "Offer" } }));
  assert.deepEqual(renamed, { ...process, name: "Offer", updated_at: renamed.updated_at });
  const followups = await done(
    client.GET("/followups", { params: { query: { lead_id: String(lead_id), status: "paused" } } }),
  );
  assert.deepEqual(followups.map((one) => [one.id, one.lead_email]), [[process.id, "both@ts.example"]]);
  const refused = await client.DELETE("/leads/{id}", at(lead_id));
  assert.equal(refused.response.status, 409);
  assert.match(refused.error?.error ?? "", /1 action and 1 process/);
  await done(client.DELETE("/leads/{id}", { params: { path: { id: lead_id }, query: { cascade: true } } }));
  const gone = await client.GET("/actions/{id}", at(action.id));
  assert.equal(gone.error?.error, "Action not found");
});

test("a list is filtered, sorted, cut to fields and read page by page", async () => {
  const made: number[] = [];
  for (let number = 0; number < 7; number++) {
    const { id } = await lead(`${number}@page.ts.example`, {
      name: `Page ${number % 3}`,
      status: number === 3 ? "lost" : "open",
      attributes: { size: number },
    });
    made.push(id);
  }
  const filters = { status: "open", email: "like:%@page.ts.example" };
  const found: number[] = [];
  let after: string | null = null;
  do {
    const query: paths["/leads"]["get"]["parameters"]["query"] = { ...filters, limit: 2, count: true };
    if (after !== null) {
      query.after = after;
    }
    const page = await client.GET("/leads", { params: { query } });
    assert.equal(page.response.headers.get("x-total-count"), "6");
    found.push(...page.data!.map((one) => one.id!));
    after = next(page.response);
  } while (after !== null);
  assert.deepEqual(found, made.filter((_, number) => number !== 3));

  // This client repeats a parameter for each item.
  const listed = await done(
    client.GET("/leads", { params: { query: { ...filters, fields: ["name", "id"], sort: ["-name", "-id"] } } }),
  );
  assert.deepEqual(listed.map((one) => JSON.stringify(one)), [
    [5, 2],
    [4, 1],
    [6, 0],
  ].flatMap((numbers, place) => numbers.map((number) => JSON.stringify({ name: `Page ${2 - place}`, id: made[number] }))));
  const one = await done(
    client.GET("/leads/{id}", { params: { path: { id: made[0]! }, query: { fields: ["status", "id"] } } }),
  );
  assert.equal(JSON.stringify(one), JSON.stringify({ status: "open", id: made[0] }));

  // A period, and a field of your own.
  for (const [created_at, count] of [
    [["gte:2026-01-01", "lt:9999-01-01"], 6],
    [["gte:2026-01-01", "lt:2026-01-02"], 0],
  ] as const) {
    const list = await done(client.GET("/leads", { params: { query: { ...filters, created_at: [...created_at] } } }));
    assert.equal(list.length, count);
  }
  const large = await done(
    client.GET("/leads", {
      params: { query: { ...filters, own_fields: { "attributes.size": "gte:5" } } },
      // As the document says. The client does not read this from it.
      querySerializer: { object: { style: "form", explode: true } },
    }),
  );
  assert.deepEqual(large.map((one) => one.id), [made[5], made[6]]);
  for (const id of made) {
    await done(client.DELETE("/leads/{id}", at(id)));
  }
});

test("a stale update and a reused key are told apart", async () => {
  const made = await lead("stale@ts.example");
  const header = { "If-Match": '"9"' };
  const stale = await client.PATCH("/leads/{id}", { params: { path: { id: made.id }, header }, body: { name: "X" } });
  assert.equal(stale.response.status, 412);
  const key = { "Idempotency-Key": crypto.randomUUID() };
  for (const [name, status] of [["One", 200], ["One", 200], ["Two", 422]] as const) {
    const { response } = await client.PATCH("/leads/{id}", { params: { path: { id: made.id }, header: key }, body: { name } });
    assert.equal(response.status, status);
  }
  const known = await done(client.GET("/leads/{id}", at(made.id)));
  assert.equal(known.name, "One");
  await done(client.DELETE("/leads/{id}", at(made.id)));
});

test("many are created by one request", async () => {
  const lines = ["many1@ts.example", "many2@ts.example", "x y"].map((email) => JSON.stringify({ op: "create", data: { email } }));
  const { data, response } = await client.POST("/leads/bulk", {
    body: lines.join("\n"),
    bodySerializer: (body) => body,
    headers: { "content-type": "application/x-ndjson" },
    parseAs: "text",
  });
  assert.equal(response.status, 200);
  const told = (data as unknown as string).split("\n").filter(Boolean).map((line) => JSON.parse(line));
  assert.deepEqual(told.slice(0, 3).map((line) => line.status), [201, 201, 400]);
  assert.equal(told[3].end.created, 2);
});
