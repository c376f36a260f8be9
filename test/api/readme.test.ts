import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createTestApi } from "../support/api.ts";

const readme = readFileSync(join(import.meta.dir, "../../README.md"), "utf8");

test("the README's channel is taken as it stands there", async () => {
  const [, path, body] = /(\/api\/admin\/alerts\/channels) [^']*'[^']*' \\\n {2}-d '([^']+)'/.exec(readme) ?? [];
  const { post } = createTestApi({ started: false });
  expect((await post(path ?? "", JSON.parse(body ?? "{}"))).status).toBe(201);
});

test("the README's thresholds are taken as they stand there", async () => {
  const [, path, body] = /PATCH (\/api\/admin\/thresholds) (\{[^`]*\})/.exec(readme) ?? [];
  const { patch } = createTestApi({ started: false });
  const answer = await patch(path ?? "", JSON.parse(body ?? "{}"));
  expect(answer.status).toBe(200);
  expect(answer.body).toMatchObject(JSON.parse(body ?? "{}"));
});
