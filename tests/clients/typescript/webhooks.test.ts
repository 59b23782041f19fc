// The library standardwebhooks, as it comes, checks what crm sends.
// CLOSED_URL is the address of a service that may send to this machine, CLOSED_TOKEN a token of it with the scope admin.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import createClient from "openapi-fetch";
import { Webhook } from "standardwebhooks";
import type { paths } from "./crm.js";

const { CLOSED_URL: url, CLOSED_TOKEN: token } = process.env;
assert(url && token, "CLOSED_URL and CLOSED_TOKEN");
const client = createClient<paths, "application/json">({
  baseUrl: url,
  headers: { authorization: `Bearer ${token}` },
});

interface Got {
  headers: Record<string, string>;
  body: string;
}

test("what arrives is verified", { timeout: 120_000 }, async () => {
  const got: Got[] = [];
  const waiting: ((one: Got) => void)[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const headers = request.headers as Record<string, string>;
      const one = { headers, body: Buffer.concat(parts).toString() };
      const next = waiting.shift();
      if (next) next(one);
      else got.push(one);
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const next = () => {
    const one = got.shift();
    return one ? Promise.resolve(one) : new Promise<Got>((done) => waiting.push(done));
  };
  const made = await client.POST("/webhooks", {
    body: { url: `http://127.0.0.1:${port}/`, types: ["lead.*"], name: "typescript" },
  });
  assert(made.data, JSON.stringify(made.error));
  await client.POST("/leads", { body: { email: "grace@example.com", name: "Grace Höpper" } });
  const { headers, body } = await next();
  const webhook = new Webhook(made.data.secret);
  const change = webhook.verify(body, headers) as { type: string; data: { record: { name: string } } };
  assert.equal(change.type, "lead.created");
  assert.equal(change.data.record.name, "Grace Höpper");
  assert.throws(() => webhook.verify(`${body} `, headers));

  const path = { params: { path: { name: "typescript" } } };
  const rotated = await client.POST("/webhooks/{name}/rotate", path);
  assert(rotated.data, JSON.stringify(rotated.error));
  // The service notices the new secret within a second.
  for (;;) {
    await client.POST("/webhooks/{name}/test", path);
    const sent = await next();
    webhook.verify(sent.body, sent.headers);
    if (sent.headers["webhook-signature"]?.includes(" ")) {
      new Webhook(rotated.data.secret).verify(sent.body, sent.headers);
      break;
    }
  }
  await client.DELETE("/webhooks/{name}", path);
  server.closeAllConnections();
  server.close();
});
