/**
 * What the standard `OTEL_*` variables ask for. Read by hand, from the environment that was handed in: the SDK's own
 * readers take the process's, and loading them costs what a daemon without a collector must not pay.
 * @see https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 * @see https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export type OtlpSettings = {
  /** Where `POST`s of traces go. */
  readonly url: string;
  /** May hold credentials: never shown. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of one export, its retries included. */
  readonly timeoutMs: number;
  readonly compression: "none" | "gzip";
  /** The share of traces that is exported, 0 to 1. */
  readonly sampleRatio: number;
  readonly resource: Readonly<Record<string, string>>;
  readonly queue: {
    readonly scheduledDelayMillis: number;
    readonly exportTimeoutMillis: number;
    readonly maxQueueSize: number;
    readonly maxExportBatchSize: number;
  };
};

export type OtelEnv = Readonly<Record<string, string | undefined>>;

/**
 * Reads the variables.
 * @returns `settings`, undefined when traces go nowhere (no endpoint, `OTEL_SDK_DISABLED`, another exporter), and
 *   `problems`: sentences about values that are not understood and were replaced by the default. Neither holds a secret
 *   except `settings.headers`.
 */
export function readOtlpSettings(env: OtelEnv): { settings: OtlpSettings | undefined; problems: readonly string[] } {
  const problems: string[] = [];
  const url = wantsOtlp(env, problems) ? endpoint(env, problems) : undefined;
  if (url === undefined) return { settings: undefined, problems };

  const protocol = specific(env, "PROTOCOL");
  if (protocol !== undefined && protocol !== "http/protobuf") {
    problems.push(
      `${specificKey(env, "PROTOCOL")} is ${protocol}; traces are sent as http/protobuf, the only one spoken here.`,
    );
  }
  for (const name of ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"]) {
    if (specific(env, name) === undefined) continue;
    problems.push(`${specificKey(env, name)} is not read here; certificates are trusted by NODE_EXTRA_CA_CERTS.`);
  }
  const settings: OtlpSettings = {
    url,
    headers: {
      ...pairs(env, "OTEL_EXPORTER_OTLP_HEADERS", { isAllowed: isHeader, problems }),
      ...pairs(env, "OTEL_EXPORTER_OTLP_TRACES_HEADERS", { isAllowed: isHeader, problems }),
    },
    timeoutMs: count(env, specificKey(env, "TIMEOUT"), 10_000, problems),
    compression: compression(env, problems),
    sampleRatio: sampleRatio(env, problems),
    resource: {
      ...pairs(env, "OTEL_RESOURCE_ATTRIBUTES", { isAllowed: () => true, problems }),
      ...(read(env, "OTEL_SERVICE_NAME") === undefined ? {} : { "service.name": read(env, "OTEL_SERVICE_NAME") ?? "" }),
    },
    queue: {
      scheduledDelayMillis: count(env, "OTEL_BSP_SCHEDULE_DELAY", 5_000, problems),
      exportTimeoutMillis: count(env, "OTEL_BSP_EXPORT_TIMEOUT", 30_000, problems),
      maxQueueSize: count(env, "OTEL_BSP_MAX_QUEUE_SIZE", 2_048, problems),
      maxExportBatchSize: count(env, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, problems),
    },
  };
  return { settings, problems };
}

function wantsOtlp(env: OtelEnv, problems: string[]): boolean {
  if (read(env, "OTEL_SDK_DISABLED")?.toLowerCase() === "true") return false;
  const exporters = (read(env, "OTEL_TRACES_EXPORTER") ?? "otlp").split(",").map((name) => name.trim());
  for (const name of exporters) {
    if (name !== "otlp" && name !== "none") {
      problems.push(`OTEL_TRACES_EXPORTER names ${name}; only otlp and none are known here.`);
    }
  }
  return exporters.includes("otlp");
}

/** The address for traces is taken as it is; the common one gets the path of the signal appended. */
function endpoint(env: OtelEnv, problems: string[]): string | undefined {
  const own = read(env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  const common = read(env, "OTEL_EXPORTER_OTLP_ENDPOINT");
  const address = own ?? (common === undefined ? undefined : `${common.replace(/\/*$/, "")}/v1/traces`);
  if (address === undefined) return undefined;
  const url = URL.parse(address);
  if (url !== null && (url.protocol === "http:" || url.protocol === "https:")) return url.href;
  const key = own === undefined ? "OTEL_EXPORTER_OTLP_ENDPOINT" : "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  problems.push(`${key} is no http or https address, such as http://localhost:4318; traces are not exported.`);
  return undefined;
}

/**
 * The sampler as a ratio. Every standard sampler is a function of the trace id alone here, the `parentbased_` ones too:
 * a parent is always a span of ours, so its verdict is the one that its trace id gives.
 */
function sampleRatio(env: OtelEnv, problems: string[]): number {
  const sampler = read(env, "OTEL_TRACES_SAMPLER") ?? "parentbased_always_on";
  switch (sampler.replace(/^parentbased_/, "")) {
    case "always_on":
      return 1;
    case "always_off":
      return 0;
    case "traceidratio": {
      const text = read(env, "OTEL_TRACES_SAMPLER_ARG") ?? "1";
      const ratio = Number(text);
      if (ratio >= 0 && ratio <= 1) return ratio;
      problems.push(`OTEL_TRACES_SAMPLER_ARG is ${text}, not a number from 0 to 1; every trace is exported.`);
      return 1;
    }
    default:
      problems.push(`OTEL_TRACES_SAMPLER is ${sampler}, which is not known here; every trace is exported.`);
      return 1;
  }
}

function compression(env: OtelEnv, problems: string[]): "none" | "gzip" {
  const text = specific(env, "COMPRESSION") ?? "none";
  if (text === "none" || text === "gzip") return text;
  problems.push(`${specificKey(env, "COMPRESSION")} is ${text}, not gzip or none; none is used.`);
  return "none";
}

/** `key=value,key=value`, values percent-encoded. A pair that cannot be read is left out and named by its key alone. */
function pairs(
  env: OtelEnv,
  variable: string,
  { isAllowed, problems }: { isAllowed: (key: string, value: string) => boolean; problems: string[] },
): Record<string, string> {
  const parsed: Record<string, string> = {};
  for (const pair of (read(env, variable) ?? "").split(",").filter((part) => part.trim() !== "")) {
    const equals = pair.indexOf("=");
    const key = pair.slice(0, Math.max(equals, 0)).trim();
    const value = decoded(pair.slice(equals + 1).trim());
    if (key !== "" && value !== undefined && isAllowed(key, value)) parsed[key] = value;
    else problems.push(`${variable} holds a pair that cannot be read${key === "" ? "" : ` (${key})`}; it is left out.`);
  }
  return parsed;
}

/** One bad header would fail every export. */
function isHeader(key: string, value: string): boolean {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(key) && /^[\t\x20-\x7e]*$/.test(value);
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function count(env: OtelEnv, variable: string, otherwise: number, problems: string[]): number {
  const text = read(env, variable);
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  problems.push(`${variable} is ${text}, not a whole number above 0; ${otherwise} is used.`);
  return otherwise;
}

function specific(env: OtelEnv, name: string): string | undefined {
  return read(env, specificKey(env, name));
}

/** The variable for traces where it is set, else the one for every signal. */
function specificKey(env: OtelEnv, name: string): string {
  const own = `OTEL_EXPORTER_OTLP_TRACES_${name}`;
  return read(env, own) === undefined ? `OTEL_EXPORTER_OTLP_${name}` : own;
}

/** An empty variable counts as unset, as the specification wants. */
function read(env: OtelEnv, variable: string): string | undefined {
  const text = env[variable]?.trim();
  return text === "" ? undefined : text;
}
