import { Elysia, t } from "elysia";
import { inReadTransaction } from "../db/transaction.ts";
import { EXPOSITION_TYPE, renderExposition } from "../telemetry/exposition.ts";
import type { RouteDeps } from "./deps.ts";
import { readMetricFamilies } from "./metric-families.ts";
import { operation } from "./operation.ts";

/** `GET /metrics`, for Prometheus. */
export function metricRoutes(deps: RouteDeps) {
  return new Elysia().get(
    "/metrics",
    () => {
      const families = inReadTransaction(deps.context.db, () => readMetricFamilies(deps));
      return new Response(renderExposition(families), { headers: { "content-type": EXPOSITION_TYPE } });
    },
    {
      detail: operation({
        tag: "Metrics",
        scope: deps.isMetricsPublic ? "public" : "read",
        summary: "Shows metrics for Prometheus",
        description:
          "Needs a token that may read, unless `BROOMWAGON_METRICS_PUBLIC` is true. Ids and names are in none.",
        answers: { 200: { description: "The text format, 0.0.4.", schema: t.String(), mediaType: "text/plain" } },
      }),
    },
  );
}
