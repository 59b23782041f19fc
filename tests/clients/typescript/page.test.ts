// The page /docs in a browser: its requests are sent as a person would send them.
// OPEN_URL is the address of a service that is open. CLOSED_URL is that of one that wants a token, and CLOSED_TOKEN a token
// of it with the scope admin. CHROMIUM is the browser's path.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Browser, type Locator, type Page, chromium } from "playwright-core";

const { OPEN_URL, CLOSED_URL, CLOSED_TOKEN, CHROMIUM } = process.env;
let browser: Browser;

before(async () => {
  assert(OPEN_URL && CLOSED_URL && CLOSED_TOKEN && CHROMIUM);
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
});
after(() => browser?.close());

/** Opens the page and runs `use` on it. Nothing may be loaded from elsewhere, and no script may fail. */
async function opened(url: string, use: (page: Page) => Promise<void>) {
  const page = await browser.newPage({ viewport: { width: 1300, height: 1600 } });
  // Long enough for a machine that is busy with other tests.
  page.setDefaultTimeout(120_000);
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${url}/`) && !request.url().startsWith("data:")) {
      faults.push(request.url());
    }
  });
  page.on("console", (message) => {
    // The browser reports each answer of 400 and above like this. Such answers are part of the tests.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
      faults.push(message.text());
    }
  });
  await page.goto(`${url}/docs`);
  await use(page);
  assert.deepEqual(faults, []);
  await page.close();
}

/** Opens the form of an operation. */
async function form(page: Page, operation: string): Promise<Locator> {
  const block = page.locator(`#operations-${operation}`);
  await block.locator(".opblock-summary-control").click();
  await block.locator("button.try-out__btn").click();
  return block;
}

function input(block: Locator, name: string): Locator {
  return block.locator(`tr[data-param-name="${name}"] input`);
}

/** Sends the form and returns the status and the body, both as the page shows them. */
async function sent(block: Locator): Promise<{ status: number; body: any }> {
  const page = block.page();
  const arrived = page.waitForResponse((response) => response.request().resourceType() === "fetch");
  await block.locator("button.execute").click();
  const status = (await arrived).status();
  const shown = block.locator(".live-responses-table tr.response");
  await shown.locator(".response-col_status", { hasText: String(status) }).waitFor();
  const body = await shown.locator(".response-col_description .highlight-code code").first().innerText();
  return { status, body: JSON.parse(body) };
}

test("records are created, changed and deleted on the page", () =>
  opened(OPEN_URL!, async (page) => {
    const create = await form(page, "leads-createLead");
    // With the fields as the page fills them.
    const first = await sent(create);
    assert.equal(first.status, 201);
    await create.locator("textarea.body-param__text").fill('{"email": "second@page.example", "status": "won"}');
    const second = await sent(create);
    assert.equal(second.status, 201);
    assert.notEqual(first.body.id, second.body.id);
    const third = await sent(create);
    assert.equal(third.status, 201);

    const id = String(second.body.id);
    const update = await form(page, "leads-patchLead");
    // Nothing is changed or deleted before the person names it.
    assert.equal(await input(update, "id").inputValue(), "");
    await input(update, "id").fill(id);
    const changed = await sent(update);
    assert.equal(changed.status, 200);
    assert.deepEqual(changed.body.attributes, { company: "Acme" });
    assert.equal(changed.body.status, "won");

    await input(update, "If-Match").fill('"9"');
    const stale = await sent(update);
    assert.equal(stale.status, 412);
    assert.match(stale.body.error, /the record has changed meanwhile/);
    await input(update, "If-Match").fill('"2"');
    await update.locator("textarea.body-param__text").fill('{"name": "Ada"}');
    const named = await sent(update);
    assert.deepEqual([named.status, named.body.name, named.body.status], [200, "Ada", "won"]);

    const list = await form(page, "leads-listLeads");
    await input(list, "email").fill("second@page.example");
    await input(list, "status").fill("in:won,lost");
    for (const [name, item] of [["sort", "-id"], ["fields", "id"], ["fields", "email"], ["created_at", "gte:2026-01-01"]] as const) {
      const row = list.locator(`tr[data-param-name="${name}"]`);
      await row.getByRole("button", { name: "Add string item" }).click();
      await row.locator("input").last().fill(item);
    }
    const listed = await sent(list);
    assert.deepEqual(listed.body, [third, second].map(({ body }) => ({ id: body.id, email: body.email })));

    const remove = await form(page, "leads-deleteLead");
    assert.equal(await input(remove, "id").inputValue(), "");
    for (const one of [first, second, third]) {
      await input(remove, "id").fill(String(one.body.id));
      assert.deepEqual(await sent(remove), { status: 200, body: { message: "Lead deleted" } });
    }
    assert.equal((await sent(remove)).status, 404);
  }));

test("a token is entered, used and forgotten", () =>
  opened(CLOSED_URL!, async (page) => {
    const list = await form(page, "leads-listLeads");
    assert.equal((await sent(list)).status, 401);
    await page.locator("button.btn.authorize").click();
    const dialog = page.locator(".auth-container");
    await dialog.locator("input").fill(CLOSED_TOKEN!);
    await dialog.locator("button.authorize").click();
    await dialog.locator("button.btn-done").click();
    const before = await sent(list);
    assert.equal(before.status, 200);
    const create = await form(page, "leads-createLead");
    assert.equal((await sent(create)).status, 201);
    assert.equal((await sent(list)).body.length, before.body.length + 1);
    const token = await form(page, "tokens-createToken");
    const made = await sent(token);
    assert.equal(made.status, 201);
    assert.match(made.body.token, /^crm_/);
    await page.locator("button.btn.authorize").click();
    await dialog.locator("button", { hasText: "Logout" }).click();
    await dialog.locator("button.btn-done").click();
    assert.equal((await sent(list)).status, 401);
  }));
