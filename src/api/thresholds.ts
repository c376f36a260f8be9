import { Elysia, t } from "elysia";
import { formatDuration } from "../core/duration.ts";
import { THRESHOLD_BOUNDS, type Thresholds } from "../core/thresholds.ts";
import type { ThresholdsView } from "../health/thresholds.ts";
import type { RouteDeps } from "./deps.ts";
import { refuseUnknownFields } from "./known-fields.ts";
import { BODY_REFUSALS, OrNull, operation, Time, Whole, Word } from "./operation.ts";

const VALUES = {
  stall_after_discovery_ms: t.Integer({ description: "A discovery without progress for so long is stalled." }),
  stall_after_discovery: t.String({ description: "The same, in words: `10m`." }),
  stall_after_enrichment_ms: t.Integer({ description: "An enrichment without progress for so long is stalled." }),
  stall_after_enrichment: t.String({ description: "The same, in words: `10m`." }),
  max_remedies: t.Integer({ description: "Of a sync in 24 hours; past it the sync fails with the reason." }),
};
const Origin = Word(["configuration", "api"]);

const ThresholdsJson = t.Object({
  ...VALUES,
  origins: t.Object(
    { stall_after_discovery_ms: Origin, stall_after_enrichment_ms: Origin, max_remedies: Origin },
    { description: "Where each comes from: `api`, when somebody changed it while it ran." },
  ),
  configured: t.Object(VALUES, { description: "What the configuration says: null in a PATCH goes back to it." }),
  changed_at: OrNull(Time("When somebody last changed any.")),
  changed_by: OrNull(t.String({ description: "Who: `admin`, `token:3`." })),
});

const Wanted = (name: keyof Thresholds, description: string) =>
  t.Optional(
    OrNull(
      Whole({
        minimum: THRESHOLD_BOUNDS[name].min,
        maximum: THRESHOLD_BOUNDS[name].max,
        description: `${description} null goes back to the configuration.`,
      }),
    ),
  );

const ThresholdsBody = t.Object(
  {
    stall_after_discovery_ms: Wanted("stallAfterDiscoveryMs", "Milliseconds, 1 s to 7 d."),
    stall_after_enrichment_ms: Wanted("stallAfterEnrichmentMs", "Milliseconds, 1 s to 7 d."),
    max_remedies: Wanted("maxRemedies", "0 to 20; 0: the first stall fails the sync."),
  },
  { minProperties: 1, additionalProperties: false },
);

/** The thresholds of healing: shown, and changed while it runs. */
export function thresholdRoutes({ thresholds, actorOf }: RouteDeps) {
  return new Elysia({ prefix: "/api/admin" })
    .get("/thresholds", () => showThresholds(thresholds.view()), {
      detail: operation({
        tag: "Health",
        scope: "read",
        summary: "Shows the thresholds of healing",
        answers: { 200: { description: "As they are now.", schema: ThresholdsJson } },
      }),
    })
    .patch(
      "/thresholds",
      ({ body, request }) => {
        const change = {
          stallAfterDiscoveryMs: body.stall_after_discovery_ms,
          stallAfterEnrichmentMs: body.stall_after_enrichment_ms,
          maxRemedies: body.max_remedies,
        };
        thresholds.change(change, actorOf(request));
        return showThresholds(thresholds.view());
      },
      {
        body: ThresholdsBody,
        transform: refuseUnknownFields(ThresholdsBody),
        detail: operation({
          tag: "Health",
          scope: "admin",
          summary: "Changes thresholds of healing",
          description:
            "At once, without a restart, and over restarts, until somebody goes back to the configuration; recorded in the audit.",
          answers: { 200: { description: "As they are now.", schema: ThresholdsJson } },
          refusals: BODY_REFUSALS,
        }),
      },
    );
}

function showThresholds(view: ThresholdsView): typeof ThresholdsJson.static {
  const { current, configured, overrides, changedAtMs, changedBy } = view;
  const originOf = (name: keyof Thresholds) => (overrides[name] === undefined ? "configuration" : "api");
  return {
    ...showValues(current),
    origins: {
      stall_after_discovery_ms: originOf("stallAfterDiscoveryMs"),
      stall_after_enrichment_ms: originOf("stallAfterEnrichmentMs"),
      max_remedies: originOf("maxRemedies"),
    },
    configured: showValues(configured),
    changed_at: changedAtMs,
    changed_by: changedBy,
  };
}

function showValues({ stallAfterDiscoveryMs, stallAfterEnrichmentMs, maxRemedies }: Thresholds) {
  return {
    stall_after_discovery_ms: stallAfterDiscoveryMs,
    stall_after_discovery: formatDuration(stallAfterDiscoveryMs),
    stall_after_enrichment_ms: stallAfterEnrichmentMs,
    stall_after_enrichment: formatDuration(stallAfterEnrichmentMs),
    max_remedies: maxRemedies,
  };
}
