import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import type { ServedStage } from "./agents/model_deployer/domain/entities.ts";
import {
  livenessPolicySchema,
  type LivenessPolicy,
  STANDARD_LIVENESS,
} from "./agents/model_deployer/domain/liveness.ts";
import { ConfigurationError } from "./agents/model_deployer/errors.ts";
import { PREDICTION_SECONDS } from "./agents/model_deployer/ports.ts";
import type { MLflowAuth } from "./mlops/mlflow/mlflow_transport.ts";
import { defaultLogBounds, type LogBounds } from "./platform/bounded_log.ts";
import type { TelemetrySettings } from "./telemetry/telemetry.ts";

const url = (protocols: string[]) =>
  z
    .string()
    .refine(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
      `an address that begins with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`,
    );

const MEGABYTE = 1024 * 1024;

const environmentSchema = z.object({
  DATABASE_URL: url(["postgres:", "postgresql:"]).optional(),
  REDIS_URL: url(["redis:", "rediss:"]).optional(),
  MLFLOW_TRACKING_URI: url(["http:", "https:"]).optional(),
  MLFLOW_TRACKING_USERNAME: z.string().optional(),
  MLFLOW_TRACKING_PASSWORD: z.string().optional(),
  MLFLOW_TRACKING_TOKEN: z.string().optional(),
  SUPABASE_URL: url(["http:", "https:"]).optional(),
  SUPABASE_KEY: z.string().optional(),
  MODEL_DEPLOYER_CHECKPOINTS_URL: url(["postgres:", "postgresql:"]).optional(),
  MODEL_DEPLOYER_LOG_LEVEL: z.enum(["silent", "error", "warn", "info", "debug"]).default("silent"),
  MODEL_DEPLOYER_BIND_HOST: z.ipv4("an IPv4 address of this machine, or 0.0.0.0").default("127.0.0.1"),
  MODEL_DEPLOYER_METRICS_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: url(["http:", "https:"]).optional(),
  OTEL_SERVICE_NAME: z.string().default("model-deployer"),
  MODEL_DEPLOYER_HOME: z.string().default(".model-deployer"),
  MODEL_DEPLOYER_CACHE: z.string().default(join(homedir(), ".cache", "model-deployer")),
  MODEL_DEPLOYER_TOKEN: z.string().min(16).optional(),
  MODEL_DEPLOYER_EFFECTS: z.enum(["live", "dry-run"]).default("live"),
  MODEL_DEPLOYER_ENVIRONMENT_SECONDS: z.coerce.number().min(1).max(604_800).default(3600),
  MODEL_DEPLOYER_BUILD_SECONDS: z.coerce.number().min(1).max(86_400).default(600),
  MODEL_DEPLOYER_START_SECONDS: z.coerce.number().min(1).max(86_400).default(90),
  MODEL_DEPLOYER_LEASE_SECONDS: z.coerce.number().min(1).max(600).default(30),
  MODEL_DEPLOYER_RECONCILE_SECONDS: z.coerce.number().min(1).max(86_400).default(30),
  MODEL_DEPLOYER_PREDICTION_SECONDS: z.coerce.number().min(0.1).max(3600).default(PREDICTION_SECONDS),
  MODEL_DEPLOYER_PREDICTION_QUEUE: z.coerce.number().int().min(0).max(10_000).default(64),
  MODEL_DEPLOYER_BODY_SECONDS: z.coerce.number().min(0.1).max(3600).default(30),
  MODEL_DEPLOYER_LOG_BYTES: z.coerce
    .number()
    .int()
    .min(65_536)
    .max(1_073_741_824)
    .default(defaultLogBounds.bytes),
  MODEL_DEPLOYER_LOG_FILES: z.coerce.number().int().min(1).max(20).default(defaultLogBounds.files),
  MODEL_DEPLOYER_LIVENESS_PRODUCTION: livenessPolicy(STANDARD_LIVENESS.production),
  MODEL_DEPLOYER_LIVENESS_STAGING: livenessPolicy(STANDARD_LIVENESS.staging),
  MODEL_DEPLOYER_LIVENESS_SHADOW: livenessPolicy(STANDARD_LIVENESS.shadow),
  MODEL_DEPLOYER_RESERVE_MB: z.coerce.number().int().min(0).max(10_240).default(16),
  MODEL_DEPLOYER_LOW_DISK_MB: z.coerce.number().int().min(0).max(10_485_760).default(1024),
  MODEL_DEPLOYER_RETENTION_SECONDS: z.coerce.number().min(0).max(2_592_000).default(3600),
});

/** `15/2`: seconds from one miss to the next, and misses in a row. */
function livenessPolicy(standard: LivenessPolicy) {
  return z
    .string()
    .regex(/^\d+(\.\d+)?\/\d+$/, "seconds and misses, as in 15/2")
    .transform((text) => {
      const [interval_seconds, misses] = text.split("/").map(Number);
      return { interval_seconds, misses };
    })
    .pipe(livenessPolicySchema)
    .default(standard);
}

export interface Configuration {
  /** Null: an embedded server of the home. */
  databaseUrl: string | null;
  redisUrl: string | null;
  mlflowUrl: string | null;
  mlflowAuth: MLflowAuth | null;
  /** Null: the development default over the same Postgres. */
  supabaseUrl: string | null;
  supabaseKey: string | null;
  /** Where a pipeline keeps its threads; Studio opens them for reading. */
  checkpointsUrl: string | null;
  /** Bentos, running servers, routers and embedded services. */
  home: string;
  /** Python environments, shared by all homes. */
  cache: string;
  /** IPv4 address that new endpoints and the metrics listen at; servers and embedded services stay on 127.0.0.1. */
  bindHost: string;
  /** Names the principal that asks; without it requests are the agent's own. */
  token: string | null;
  effects: "live" | "dry-run";
  telemetry: TelemetrySettings;
  /** The longest that making one Python environment, building one bento and starting one server may take. */
  limits: { environmentSeconds: number; buildSeconds: number; startSeconds: number };
  leaseSeconds: number;
  retentionSeconds: number;
  /** How often a worker looks for drift. */
  reconcileSeconds: number;
  /** Servers that are started from now on keep to them. */
  serving: { predictionSeconds: number; predictionQueue: number; bodySeconds: number };
  /** Of each process's log. */
  logs: LogBounds;
  /** By stage, after how many misses a server that has a process counts as dead. */
  liveness: Record<ServedStage, LivenessPolicy>;
  /** Kept in the home for rollbacks while the disk is full; 0 keeps nothing. */
  reserveBytes: number;
  /** `doctor`, `status` and the worker warn of a disk with less room than this. */
  lowDiskBytes: number;
}

/** @throws ConfigurationError that names each variable that is wrong; no value of a secret is shown */
export function readConfiguration(environment: Record<string, string | undefined>): Configuration {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""),
  );
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new ConfigurationError(`The environment is not usable: ${problems.join("; ")}.`, {
      details: { problems },
    });
  }
  const values = parsed.data;
  return {
    databaseUrl: values.DATABASE_URL ?? null,
    redisUrl: values.REDIS_URL ?? null,
    mlflowUrl: values.MLFLOW_TRACKING_URI ?? null,
    mlflowAuth: mlflowAuth(values),
    supabaseUrl: values.SUPABASE_URL ?? null,
    supabaseKey: values.SUPABASE_KEY ?? null,
    checkpointsUrl: values.MODEL_DEPLOYER_CHECKPOINTS_URL ?? null,
    home: resolve(values.MODEL_DEPLOYER_HOME),
    cache: resolve(values.MODEL_DEPLOYER_CACHE),
    bindHost: values.MODEL_DEPLOYER_BIND_HOST,
    token: values.MODEL_DEPLOYER_TOKEN ?? null,
    effects: values.MODEL_DEPLOYER_EFFECTS,
    telemetry: telemetryOf(values),
    limits: {
      environmentSeconds: values.MODEL_DEPLOYER_ENVIRONMENT_SECONDS,
      buildSeconds: values.MODEL_DEPLOYER_BUILD_SECONDS,
      startSeconds: values.MODEL_DEPLOYER_START_SECONDS,
    },
    leaseSeconds: values.MODEL_DEPLOYER_LEASE_SECONDS,
    retentionSeconds: values.MODEL_DEPLOYER_RETENTION_SECONDS,
    liveness: livenessOf(values),
    reconcileSeconds: values.MODEL_DEPLOYER_RECONCILE_SECONDS,
    serving: {
      predictionSeconds: values.MODEL_DEPLOYER_PREDICTION_SECONDS,
      predictionQueue: values.MODEL_DEPLOYER_PREDICTION_QUEUE,
      bodySeconds: values.MODEL_DEPLOYER_BODY_SECONDS,
    },
    logs: { bytes: values.MODEL_DEPLOYER_LOG_BYTES, files: values.MODEL_DEPLOYER_LOG_FILES },
    reserveBytes: values.MODEL_DEPLOYER_RESERVE_MB * MEGABYTE,
    lowDiskBytes: values.MODEL_DEPLOYER_LOW_DISK_MB * MEGABYTE,
  };
}

function telemetryOf(values: z.infer<typeof environmentSchema>): Configuration["telemetry"] {
  return {
    otlpEndpoint: values.OTEL_EXPORTER_OTLP_ENDPOINT ?? null,
    serviceName: values.OTEL_SERVICE_NAME,
    logLevel: values.MODEL_DEPLOYER_LOG_LEVEL,
    metricsPort: values.MODEL_DEPLOYER_METRICS_PORT ?? null,
    bindHost: values.MODEL_DEPLOYER_BIND_HOST,
  };
}

function livenessOf(values: z.infer<typeof environmentSchema>): Configuration["liveness"] {
  return {
    production: values.MODEL_DEPLOYER_LIVENESS_PRODUCTION,
    staging: values.MODEL_DEPLOYER_LIVENESS_STAGING,
    shadow: values.MODEL_DEPLOYER_LIVENESS_SHADOW,
  };
}

function mlflowAuth(values: z.infer<typeof environmentSchema>): Configuration["mlflowAuth"] {
  if (values.MLFLOW_TRACKING_TOKEN !== undefined)
    return { kind: "bearer", token: values.MLFLOW_TRACKING_TOKEN };
  const { MLFLOW_TRACKING_USERNAME: username, MLFLOW_TRACKING_PASSWORD: password } = values;
  return username === undefined || password === undefined ? null : { kind: "basic", username, password };
}
