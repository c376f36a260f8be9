import { expect, test } from "bun:test";
import { readIncident } from "../../src/core/incident.ts";
import { createTestApi } from "../support/api.ts";

test("an incident is written down for whoever may read, in the shape that the replay reads", async () => {
  const { get, post, settle, token } = createTestApi();
  await post("/api/admin/athletes/1/sync");
  await settle();
  const answer = await get("/api/admin/syncs/1/incident", { token: token("read") });
  expect(answer.status).toBe(200);
  expect(readIncident(answer.body)).toMatchObject({
    ok: true,
    incident: {
      program_version: "1.2.3",
      config: { lease_ms: 60_000, enrichment_batch_size: 15, healing: "automatic" },
      sync: { id: "1", status: "completed" },
    },
  });
});

test("without a token, and for a sync that is not there, it is refused", async () => {
  const { get } = createTestApi();
  expect((await get("/api/admin/syncs/1/incident", { token: null })).status).toBe(401);
  for (const id of ["1", "x", "0", "99999999999999999"]) {
    const answer = await get(`/api/admin/syncs/${id}/incident`);
    expect([answer.status, answer.body.code]).toEqual([404, "sync_unknown"]);
  }
});
