import { alertTest } from "./alert-test.ts";
import type { Command } from "./command.ts";
import { config } from "./config.ts";
import { demo } from "./demo.ts";
import { healthApply } from "./health-apply.ts";
import { healthCheck } from "./health-check.ts";
import { healthFindings } from "./health-findings.ts";
import { incidentExport } from "./incident-export.ts";
import { incidentReplay } from "./incident-replay.ts";
import { migrate } from "./migrate.ts";
import { openapi } from "./openapi.ts";
import { sandbox } from "./sandbox.ts";
import { serve } from "./serve.ts";
import { simulate } from "./simulate.ts";
import { status } from "./status.ts";
import { sync } from "./sync.ts";
import { tokenCreate } from "./token-create.ts";
import { tokenList } from "./token-list.ts";
import { tokenRevoke } from "./token-revoke.ts";
import { version } from "./version.ts";
import { webhookCreate } from "./webhook-create.ts";
import { webhookDelete } from "./webhook-delete.ts";
import { webhookShow } from "./webhook-show.ts";

/** Every command, in the order in which the help lists them. */
export const COMMANDS: readonly Command[] = [
  serve,
  demo,
  sandbox,
  sync,
  status,
  healthCheck,
  healthFindings,
  healthApply,
  incidentExport,
  incidentReplay,
  alertTest,
  webhookShow,
  webhookCreate,
  webhookDelete,
  simulate,
  migrate,
  tokenCreate,
  tokenList,
  tokenRevoke,
  config,
  openapi,
  version,
];
