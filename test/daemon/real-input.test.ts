import { expect, test } from "bun:test";
import { runRecording } from "../../scripts/recorded-run.ts";
import { findRecordings } from "../support/recordings.ts";

const RECORDED = findRecordings() ?? "";
const reason = RECORDED !== "" ? "" : " (skipped: no folder beside the project has recordings/strava)";

test.skipIf(reason !== "")(
  `a recorded athlete: all 1,132 activities listed, 84 races stored and enriched, none asked for again${reason}`,
  async () => {
    const run = await runRecording(RECORDED);
    expect(run.first).toMatchObject({
      status: "completed",
      activitiesListed: 1_132,
      racesEnriched: 84,
      listRequests: 7,
      detailRequests: 84,
    });
    expect(run.second).toMatchObject({
      status: "completed",
      activitiesListed: 1_132,
      racesEnriched: 0,
      listRequests: 7,
      detailRequests: 0,
    });
    expect(run.races.length).toBe(84);
    expect(run.races.every((race) => race.enrichment === "enriched")).toBe(true);
    expect(run.races.filter((race) => race.visibility === "only_me").length).toBe(1);
    expect(run.races.filter((race) => race.polyline === null).length).toBe(1);
    expect(run.athletePublished).toBe(false);
  },
  30_000,
);
