import { expect, test } from "bun:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { describeApi } from "../../src/api/api.ts";
import { createTestApi } from "../support/api.ts";

type Operation = {
  summary?: string;
  tags?: string[];
  security?: Record<string, string[]>[];
  parameters?: { in: string; name: string; required: boolean }[];
  requestBody?: { required: boolean; content: Record<string, unknown> };
  responses: Record<string, { description: string; content?: Record<string, unknown> }>;
};
type Document = { openapi: string; paths: Record<string, Record<string, Operation>>; components: unknown };

const readDocument = async (): Promise<Document> => JSON.parse(JSON.stringify(await describeApi("1.2.3")));

async function operations(): Promise<[where: string, operation: Operation][]> {
  const { paths } = await readDocument();
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [`${method} ${path}`, operation]),
  );
}

test("the document is valid OpenAPI 3.1, and needs no daemon", async () => {
  const document = await readDocument();
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  expect(errors).toBeUndefined();
  expect(valid).toBe(true);
  expect(document.openapi).toBe("3.1.0");
});

/** Routes that want no token: anybody may look. */
const PUBLIC = [
  "get /livez",
  "get /readyz",
  "get /auth/strava",
  "get /auth/strava/callback",
  "get /webhooks/strava/{secret}",
  "post /webhooks/strava/{secret}",
];

test("every route says in a summary what it does, who may use it, and what it answers", async () => {
  const all = await operations();
  expect(all.length).toBeGreaterThan(30);
  for (const [where, operation] of all) {
    expect([where, operation.summary]).toEqual([where, expect.stringMatching(/^[A-Z].{5,}/)]);
    expect([where, operation.tags]).toEqual([where, [expect.any(String)]]);
    const isPublic = PUBLIC.includes(where);
    expect([where, operation.security]).toEqual([
      where,
      isPublic ? [] : [{ bearer: [expect.stringMatching(/^(read|operate|admin)$/)] }],
    ]);
    const answers = Object.entries(operation.responses);
    expect([where, answers.some(([status]) => /^[23]/.test(status))]).toEqual([where, true]);
    for (const [, response] of answers) expect(response.description).not.toBe("");
    if (!isPublic) expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(["401", "403", "default"]));
  }
});

test("every GET wants the scope read, and no other route does; the audit is for admins", async () => {
  for (const [where, { security }] of await operations()) {
    if (security?.length === 0) continue;
    if (where === "get /api/admin/audit") {
      expect(security).toEqual([{ bearer: ["admin"] }]);
      continue;
    }
    expect([where, security?.[0]?.bearer?.[0] === "read"]).toEqual([where, where.startsWith("get ")]);
  }
});

test("every part of a path is a parameter, and a body is needed where something in it is", async () => {
  const all = new Map(await operations());
  for (const [where, { parameters = [] }] of all) {
    const named = [...where.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    expect(parameters.filter((one) => one.in === "path").map((one) => one.name)).toEqual(named as string[]);
  }
  expect(all.get("post /api/admin/athletes")?.requestBody?.required).toBe(true);
  expect(all.get("post /api/admin/athletes/{id}/sync")?.requestBody?.required).toBe(false);
  expect(all.get("post /webhooks/strava/{secret}")?.requestBody?.required).toBe(true);
  for (const [, { requestBody }] of all) {
    if (requestBody !== undefined) expect(Object.keys(requestBody.content)).toEqual(["application/json"]);
  }
});

test("nothing of the generator's own is left in the document", async () => {
  const { paths, ...rest } = await readDocument();
  // Metrics are plain text by themselves.
  const { "/metrics": metrics, ...others } = paths;
  expect(metrics?.get?.responses["200"]?.content).toHaveProperty("text/plain");
  const text = JSON.stringify({ ...rest, paths: others });
  for (const leftover of [
    '"$id"',
    '"nullable"',
    "multipart/form-data",
    "text/plain",
    '"format":"numeric"',
    '"format":"integer"',
  ]) {
    expect([leftover, text.includes(leftover)]).toEqual([leftover, false]);
  }
});

test("the page and the document are served to anybody, and the page asks for nothing from outside", async () => {
  const { get } = createTestApi();
  const page = await get("/swagger", { token: null });
  expect(page.status).toBe(200);
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(page.text).not.toMatch(/https?:|\/\/[a-z]|style=|<script>/);
  const asked = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? "");
  expect(asked.filter((address) => !address.startsWith("data:")).length).toBe(3);
  for (const address of asked) {
    if (address.startsWith("data:")) continue;
    const asset = await get(new URL(address, "http://localhost/swagger").pathname, { token: null });
    expect([address, asset.status]).toEqual([address, 200]);
    expect(asset.text.length).toBeGreaterThan(100);
  }
  const css = await get("/swagger/ui.css", { token: null });
  expect(css.text.includes("@import")).toBe(false);
  const loaded = [...css.text.matchAll(/url\(["']?([^"')]{0,20})/g)].map((match) => match[1] ?? "");
  expect(loaded.filter((address) => !address.startsWith("data:"))).toEqual([]);
  const start = await get("/swagger/start.js", { token: null });
  expect(start.text).toContain("validatorUrl: null");
  expect(start.text).not.toMatch(/https?:/);
  const document = await get("/swagger/json", { token: null });
  expect(document.body).toMatchObject({ openapi: "3.1.0", info: { version: "1.2.3" } });
});

test("the documentation is compressed for who takes it, and not sent twice", async () => {
  const { api } = createTestApi();
  const ask = (headers: Record<string, string>) =>
    api.fetch(new Request("http://localhost/swagger/ui.js", { headers }));
  const zipped = await ask({ "accept-encoding": "gzip, br" });
  expect(zipped.headers.get("content-encoding")).toBe("gzip");
  const plain = await ask({});
  expect(plain.headers.get("content-encoding")).toBeNull();
  expect(Bun.gunzipSync(await zipped.bytes())).toEqual(await plain.bytes());
  const again = await ask({ "if-none-match": plain.headers.get("etag") ?? "" });
  expect([again.status, await again.text()]).toEqual([304, ""]);
});

test("the generator's own page is not reachable", async () => {
  const { get } = createTestApi();
  for (const path of ["/document", "/document/json", "/swagger/index.html"]) expect((await get(path)).status).toBe(404);
});
