/**
 * Bugs that somebody could make, each as a change of the sources: what a simulation must find. A change names a text that
 * occurs exactly once in its file.
 */

export type Change = { readonly file: string; readonly find: string; readonly replace: string };

export type PlantedBug = {
  readonly name: string;
  /** What goes wrong, in words. */
  readonly says: string;
  readonly changes: readonly Change[];
  /** The invariants by which it may show. */
  readonly breaks: readonly string[];
};

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: "no-fence",
    says: "a worker that lost its lease writes its results back all the same",
    changes: [
      {
        file: "src/db/batches.ts",
        find: `"SELECT 1 AS held FROM batches WHERE id = ?1 AND lease_token = ?2 AND status = 'processing'"`,
        replace: `"SELECT 1 AS held FROM batches WHERE id = ?1 AND ?2 IS NOT NULL"`,
      },
      {
        file: "src/db/batches.ts",
        find: `lease_expires_at_ms = NULL, error = NULL
   WHERE id = ?1 AND lease_token = ?2 AND status = 'processing'`,
        replace: `lease_expires_at_ms = NULL, error = NULL
   WHERE id = ?1 AND ?2 IS NOT NULL`,
      },
      {
        file: "src/db/batches.ts",
        find: `exhausted = ?10, lease_token = NULL, lease_expires_at_ms = NULL
   WHERE id = ?1 AND lease_token = ?2 AND status = 'processing'`,
        replace: `exhausted = ?10, lease_token = NULL, lease_expires_at_ms = NULL
   WHERE id = ?1 AND ?2 IS NOT NULL`,
      },
      {
        file: "src/db/batches.ts",
        find: `deaths = 0
   WHERE id = ?1 AND lease_token = ?2 AND status = 'processing'`,
        replace: `deaths = 0
   WHERE id = ?1 AND ?2 IS NOT NULL`,
      },
    ],
    breaks: ["I3", "healing", "counters"],
  },
  {
    name: "wait-spends-attempt",
    says: "a batch that waits for the quota has spent an attempt",
    changes: [
      {
        file: "src/core/batch.ts",
        find: "attempts: batch.attempts,\n        runAfterMs: end.untilMs,",
        replace: "attempts: batch.attempts + 1,\n        runAfterMs: end.untilMs,",
      },
    ],
    breaks: ["attempts"],
  },
  {
    name: "death-spends-attempt",
    says: "a batch that the daemon died on has spent an attempt",
    changes: [
      {
        file: "src/health/recover.ts",
        find: `attempts: batch.attempts,
    error,`,
        replace: `attempts: batch.attempts + 1,
    error,`,
      },
    ],
    breaks: ["attempts"],
  },
  {
    name: "one-attempt-more",
    says: "a batch is tried once more than it may be",
    changes: [
      {
        file: "src/core/batch.ts",
        find: "if (attempts >= rules.maxAttempts) return",
        replace: "if (attempts > rules.maxAttempts) return",
      },
    ],
    breaks: ["attempts"],
  },
  {
    name: "cursor-without-overlap",
    says: "the walk goes on before the oldest second that it saw, and not within it",
    changes: [
      {
        file: "src/core/sync.ts",
        find: "epochSeconds(page.oldestStartSeconds + 1)",
        replace: "epochSeconds(page.oldestStartSeconds)",
      },
    ],
    breaks: ["I11"],
  },
  {
    name: "short-page-is-the-end",
    says: "a short page is taken for the end of the list",
    changes: [
      {
        file: "src/core/sync.ts",
        find: `if (page.itemCount === 0) return "end";`,
        replace: `if (page.itemCount < pageSize) return "end";`,
      },
    ],
    breaks: ["I11"],
  },
  {
    name: "complete-by-batches",
    says: "a sync completes when none of its batches is left, whatever races are",
    changes: [
      {
        file: "src/core/plan.ts",
        find: "const group = input.unserved[0];",
        replace: `if (input.liveBatches === 0) return { step: "complete" };\n  const group = input.unserved[0];`,
      },
    ],
    breaks: ["I1", "healing"],
  },
  {
    name: "no-plan-at-the-end",
    says: "the last batch of enrichment ends, and nobody asks what is left to do: the incident of 2025-11-17",
    changes: [
      {
        file: "src/sync/end-run.ts",
        find: `if (after.status === "failed" || isLastLive) reconcile`,
        replace: `if (after.status === "failed" || (isLastLive && run.batch.type === "discovery")) reconcile`,
      },
    ],
    breaks: ["healing"],
  },
  {
    name: "list-shows-hidden-race",
    says: "a race that a person hid is shown again by the next list",
    changes: [
      {
        file: "src/db/races.ts",
        find: "seen_in_sync_id = ifnull(excluded.seen_in_sync_id, seen_in_sync_id), wiped_at_ms = NULL,",
        replace: "seen_in_sync_id = ifnull(excluded.seen_in_sync_id, seen_in_sync_id), wiped_at_ms = NULL, hidden = 0,",
      },
    ],
    breaks: ["I9"],
  },
  {
    name: "withdraws-too-early",
    says: "each page of a list withdraws what it does not show, and not the whole list",
    changes: [
      {
        file: "src/sync/discover-page.ts",
        find: "if (isListComplete) finishList(context, sync.id);",
        replace: "finishList(context, sync.id);",
      },
    ],
    breaks: ["I11"],
  },
  {
    name: "in-flight-not-counted",
    says: "requests in flight are not counted against the windows",
    changes: [
      {
        file: "src/sync/requests/governor.ts",
        find: "stravaMs: books.stravaMs(), inFlight, syncClass }",
        replace: "stravaMs: books.stravaMs(), inFlight: 0, syncClass }",
      },
    ],
    breaks: ["I5"],
  },
  {
    name: "window-of-one-more",
    says: "a window that is full lets one more request out",
    changes: [{ file: "src/core/quota.ts", find: "if (room <= 0) {", replace: "if (room < 0) {" }],
    breaks: ["I5"],
  },
  {
    name: "ledger-counts-twice",
    says: "what is written to the ledger of requests is written again with the next commit",
    changes: [{ file: "src/sync/requests/quota-books.ts", find: "        ledger.clear();\n", replace: "" }],
    breaks: ["I12"],
  },
  {
    name: "nothing-taken-up",
    says: "batches that a former process left are not taken up at the start",
    changes: [
      {
        file: "src/daemon-parts.ts",
        find: "const recovered = recoverLeftBatches(context);",
        replace: "const recovered = context === undefined ? recoverLeftBatches(context) : 0;",
      },
    ],
    breaks: ["I7"],
  },
  {
    name: "monitor-only-looks",
    says: "the health check finds what is wrong, and mends nothing",
    changes: [
      {
        file: "src/health/monitor.ts",
        find: "return checkAlone({ dryRun: false });",
        replace: "return checkAlone({ dryRun: true });",
      },
    ],
    breaks: ["I6", "liveness"],
  },
  {
    name: "pair-used-before-stored",
    says: "a new pair of tokens is used before it is stored",
    changes: [
      {
        file: "src/sync/requests/tokens.ts",
        find: "const isTheirs = await commits.soon(() => store.storeRefreshed(athleteId, refreshToken, reply.value));",
        replace:
          "const isTheirs = true;\n          void commits.soon(() => store.storeRefreshed(athleteId, refreshToken, reply.value));",
      },
    ],
    breaks: ["tokens"],
  },
  {
    name: "kept-count-wrong",
    says: "the kept count of a sync's batches forgets where a batch came from",
    changes: [
      {
        file: "drizzle/0003_kept_counts.sql",
        find: "\tUPDATE `batch_counts` SET `count` = `count` - 1 WHERE `sync_id` = OLD.`sync_id` AND `type` = OLD.`type` AND `status` = OLD.`status`;\n\tINSERT",
        replace: "\tINSERT",
      },
    ],
    breaks: ["counters"],
  },
  {
    name: "token-in-the-log",
    says: "a log line shows an athlete's token",
    changes: [
      {
        file: "src/sync/requests/tokens.ts",
        find: "error: reply.fault.message }",
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template.
        replace: "error: `${reply.fault.message} (${refreshToken})` }",
      },
      {
        file: "src/sync/requests/ask-strava.ts",
        find: 'return { got: "trouble", error: fault.message };',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template.
        replace: 'return { got: "trouble", error: `${fault.message} (${accessToken})` };',
      },
      {
        file: "src/telemetry/log.ts",
        find: "message: redactText(message),",
        replace: "message,",
      },
    ],
    breaks: ["I10"],
  },
  {
    name: "token-in-a-span",
    says: "a span carries the token that its request was sent with",
    changes: [
      {
        file: "src/sync/requests/ask-strava.ts",
        find: "inSpan(context, asking, { name, attributes }, () => question",
        replace: "inSpan(context, asking, { name, attributes: { ...attributes, token: accessToken } }, () => question",
      },
    ],
    breaks: ["I10"],
  },
  {
    name: "detail-asked-again",
    says: "a batch that is taken up again asks also for the races that it has stored",
    changes: [
      {
        file: "src/db/races.ts",
        find: "WHERE batch_id = ?1 AND +athlete_id = ?2 AND enrichment = 'pending' ORDER BY",
        replace: "WHERE batch_id = ?1 AND +athlete_id = ?2 AND enrichment IN ('pending', 'enriched') ORDER BY",
      },
    ],
    breaks: ["I4"],
  },
  {
    name: "lost-transaction",
    says: "a sync, and its first batch, are not committed together",
    changes: [
      {
        file: "src/sync/start-sync.ts",
        find: "return context.commits.now((): Started => startSyncWithin(context, request, processor));",
        replace: "return startSyncWithin(context, request, processor);",
      },
    ],
    breaks: ["liveness", "healing"],
  },
  {
    name: "hold-outlives-the-clock",
    says: "what holds everybody is not shortened when the clock is set back",
    changes: [
      {
        file: "src/sync/requests/quota-books.ts",
        find: "breaker = { ...breaker, open: { ...open, untilMs: plusMs(open.untilMs, -wentBackMs) } };",
        replace: "breaker = { ...breaker, open };",
      },
    ],
    breaks: ["I6"],
  },
  {
    name: "list-ends-where-it-did-not",
    says: "what began after the walk of a list did is taken for vanished, where a clock was set right",
    changes: [
      {
        file: "src/core/sync.ts",
        find: "return epochSeconds(Math.min(reachedSeconds, sync.listToSeconds ?? reachedSeconds));",
        replace: "return reachedSeconds;",
      },
    ],
    breaks: ["I11"],
  },
  {
    name: "endless-healing",
    says: "healing knows no bound",
    changes: [
      {
        file: "src/health/heal-sync.ts",
        find: "return recent >= patient.maxRemedies || total >= REMEDIES_IN_ALL;",
        replace: "return recent + total < 0;",
      },
    ],
    breaks: ["I8"],
  },
  {
    name: "impatient-monitor",
    says: "a sync that has only just moved is called stalled",
    changes: [
      {
        file: "src/core/diagnosis-rules.ts",
        find: 'return snapshot.plan.phase === "discovery" ? rules.stallAfterDiscoveryMs : rules.stallAfterEnrichmentMs;',
        replace:
          'return 0 * (snapshot.plan.phase === "discovery" ? rules.stallAfterDiscoveryMs : rules.stallAfterEnrichmentMs);',
      },
    ],
    breaks: ["healing"],
  },
  {
    name: "backoff-in-the-wrong-unit",
    says: "a backoff of seconds is taken for one of days",
    changes: [
      {
        file: "src/core/batch.ts",
        find: "const FIRST_BACKOFF_MS = 5 * SECOND_MS;",
        replace: "const FIRST_BACKOFF_MS = 5_000 * SECOND_MS;",
      },
      {
        file: "src/core/batch.ts",
        find: "export const LONGEST_BACKOFF_MS = 15 * MINUTE_MS;",
        replace: "export const LONGEST_BACKOFF_MS = 15_000 * MINUTE_MS;",
      },
    ],
    breaks: ["healing", "I6"],
  },
  {
    name: "keeps-anybodys-detail",
    says: "a detail that belongs to another athlete is stored",
    changes: [
      {
        file: "src/sync/enrich-races.ts",
        find: "if (activity.athleteStravaId === work.athleteStravaId) return",
        replace: "if (activity.athleteStravaId !== 0) return",
      },
    ],
    breaks: ["I11"],
  },
  {
    name: "due-a-moment-late",
    says: "a batch that is due at this very moment is not due yet",
    changes: [
      {
        file: "src/db/batches.ts",
        find: "AND status = 'pending' AND run_after_ms <= ?1",
        replace: "AND status = 'pending' AND run_after_ms < ?1",
      },
    ],
    breaks: ["liveness"],
  },
  {
    name: "believes-any-clock",
    says: "a clock that was set weeks ahead is believed, where somebody is erased by it, or history dropped",
    changes: [
      {
        file: "src/core/believed-time.ts",
        find: "if (believedMs === undefined) return nowMs;",
        replace: "if (nowMs > 0) return nowMs;",
      },
    ],
    breaks: ["lost", "I12"],
  },
  {
    name: "fails-for-nothing",
    says: "every other sync fails when its list is complete",
    changes: [
      {
        file: "src/sync/reconcile.ts",
        find: '    case "enter_enrichment":\n      setPhase',
        replace:
          '    case "enter_enrichment":\n      if (sync.id % 2 === 0) return failSync(context, sync, "for nothing");\n      setPhase',
      },
    ],
    breaks: ["I8", "liveness"],
  },
  {
    name: "never-looks",
    says: "what Strava tells of an activity is settled, and nobody looks",
    changes: [
      {
        file: "src/core/triage-event.ts",
        find: 'if (owner === "connected") return { to: "look" };',
        replace: 'if (owner === "connected") return settle("nothing_held");',
      },
    ],
    breaks: ["I11"],
  },
  {
    name: "deaf-to-deauthorization",
    says: "that an athlete took the access back is taken for no matter",
    changes: [
      {
        file: "src/core/triage-event.ts",
        find: 'if (event.objectType === "athlete" && !event.isDeauthorized)',
        replace: 'if (event.objectType === "athlete")',
      },
    ],
    breaks: ["I11"],
  },
  {
    name: "no-headroom",
    says: "the headroom of a window is spent like the rest",
    changes: [
      {
        file: "src/core/quota.ts",
        find: "const room = use.limit - rules.headroom - use.used;",
        replace: "const room = use.limit - use.used;",
      },
    ],
    breaks: ["I5"],
  },
  {
    name: "holds-at-half",
    says: "a window that is half full holds everybody",
    changes: [
      {
        file: "src/core/quota.ts",
        find: "const room = use.limit - rules.headroom - use.used;",
        replace: "const room = use.limit / 2 - use.used;",
      },
    ],
    breaks: ["I6"],
  },
  {
    name: "commits-late",
    says: "what was answered is committed two seconds later",
    changes: [
      {
        file: "src/db/group-commit.ts",
        find: "else if (!isScheduled) schedule(0);",
        replace: "else if (!isScheduled) schedule(2_000);",
      },
    ],
    breaks: ["I4", "I12", "liveness"],
  },
  {
    name: "batch-given-up-early",
    says: "a batch is given up one attempt too early",
    changes: [
      {
        file: "src/core/batch.ts",
        find: 'if (attempts >= rules.maxAttempts) return { status: "failed", attempts, error: end.error };',
        replace: 'if (attempts >= rules.maxAttempts - 1) return { status: "failed", attempts, error: end.error };',
      },
    ],
    breaks: ["attempts"],
  },
  {
    name: "counts-triple",
    says: "a batch counts each race that it enriched three times",
    changes: [
      {
        file: "src/sync/run-tally.ts",
        find: "racesEnriched: before.racesEnriched + racesEnriched,",
        replace: "racesEnriched: before.racesEnriched + 3 * racesEnriched,",
      },
    ],
    breaks: ["counters"],
  },
  {
    name: "never-verified",
    says: "a remedy that has helped is never told to have",
    changes: [
      {
        file: "src/core/verdict.ts",
        find: 'if (syncStatus === "completed" || batchesCompletedSince > 0) return "verified";',
        replace: 'if (syncStatus === "completed" || batchesCompletedSince > 0) return undefined;',
      },
    ],
    breaks: ["healing"],
  },
  {
    name: "no-fence-for-results",
    says: "a worker that lost its lease stores the details that it hears all the same",
    changes: [
      {
        file: "src/db/batches.ts",
        find: `"SELECT 1 AS held FROM batches WHERE id = ?1 AND lease_token = ?2 AND status = 'processing'"`,
        replace: `"SELECT 1 AS held FROM batches WHERE id = ?1 AND ?2 IS NOT NULL"`,
      },
    ],
    breaks: ["I3", "counters", "I4"],
  },
  {
    name: "forgets-usage",
    says: "a start forgets how much of the quota is spent",
    changes: [
      {
        file: "src/sync/requests/quota-books.ts",
        find: "let quota: Quota = readQuota(db) ?? unknownQuota(stravaMs());",
        replace: "let quota: Quota = unknownQuota(stravaMs());",
      },
    ],
    breaks: ["I5"],
  },
  {
    name: "race-given-up-early",
    says: "a race is given up at its first failure",
    changes: [
      {
        file: "src/core/enrichment.ts",
        find: 'attempts >= maxAttempts ? "failed"',
        replace: 'attempts >= 1 ? "failed"',
      },
    ],
    breaks: ["attempts"],
  },
  {
    name: "alert-given-up",
    says: "an alert that cannot be delivered is given up at once",
    changes: [
      {
        file: "src/core/delivery.ts",
        find: "if (result.isFinal === true || at.nowMs >= lastAtMs) return",
        replace: "if (at.nowMs >= 0) return",
      },
    ],
    breaks: ["alerts"],
  },
  {
    name: "secret-in-a-row",
    says: "why a race failed is stored with the application's secret in it",
    changes: [
      {
        file: "src/sync/enrich-races.ts",
        find: "context.rules.maxAttempts, fault.message);",
        replace: 'context.rules.maxAttempts, fault.message + " sandbox-secret");',
      },
    ],
    breaks: ["I10"],
  },
  {
    name: "waits-for-the-day",
    says: "a batch that waits for the quota waits an hour longer than its window lasts",
    changes: [
      {
        file: "src/sync/end-run.ts",
        find: "reason: result.reason, untilMs: result.untilMs }",
        replace: "reason: result.reason, untilMs: (result.untilMs + 3_600_000) as never }",
      },
    ],
    breaks: ["I6"],
  },
  {
    name: "alert-told-again",
    says: "a trouble that goes on is told of again as if it were new",
    changes: [
      {
        file: "src/core/alert-rules.ts",
        find: "if (notifiedAtMs !== null) {",
        replace: "if (notifiedAtMs !== null && closedAtMs !== null) {",
      },
    ],
    breaks: ["I8"],
  },
  {
    name: "refusal-is-proof",
    says: "a token that was refused for a newer one that was lost is taken for a grant that has ended, and its athlete erased",
    changes: [
      {
        file: "src/sync/events/verify-grant.ts",
        find: 'answer.got === "reconnect" && answer.isProof && answer.refused',
        replace: 'answer.got === "reconnect" && answer.refused',
      },
    ],
    breaks: ["lost"],
  },
];
