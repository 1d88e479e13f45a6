import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import type { MLflowAuth } from "../../mlops/mlflow/mlflow_transport.ts";
import type { TelemetrySettings } from "../../telemetry/telemetry.ts";
import * as notifications from "./notification_settings.ts";
import { addressSetting as url } from "./address_setting.ts";
import { containmentOf, type ContainmentSettings, containmentVariables } from "./containment_settings.ts";
import { checkEngineSettings, enginesOf, type EngineSettings, engineVariables } from "./engine_settings.ts";
import { folder } from "./folder_setting.ts";
import { oidcOf, oidcProblem, type OidcSettings, oidcVariables } from "./oidc_settings.ts";
import { livenessOf, type LivenessSettings, livenessVariables } from "./liveness_settings.ts";
import { mlflowAuth, mlflowProblem, mlflowVariables } from "./mlflow_settings.ts";
import {
  diskOf,
  type DiskSettings,
  keepingOf,
  type KeepingSettings,
  keepingVariables,
} from "./keeping_settings.ts";
import { servingOf, type ServingSettings, servingVariables } from "./serving_settings.ts";
import { refuseUnreadable, unusableBy } from "./unusable_environment.ts";

/** The variables that are read, each with what it may be. */
export const settings = z.object({
  ...engineVariables,
  ...notifications.notificationVariables,
  ...oidcVariables,
  DATABASE_URL: url(["postgres:", "postgresql:"]).optional(),
  DATABASE_OWNER_URL: url(["postgres:", "postgresql:"]).optional(),
  REDIS_URL: url(["redis:", "rediss:"]).optional(),
  MLFLOW_TRACKING_URI: url(["http:", "https:"]).optional(),
  ...mlflowVariables,
  SUPABASE_URL: url(["http:", "https:"]).optional(),
  SUPABASE_KEY: z.string().optional(),
  MODEL_DEPLOYER_CHECKPOINTS_URL: url(["postgres:", "postgresql:"]).optional(),
  MODEL_DEPLOYER_LOG_LEVEL: z.enum(["silent", "error", "warn", "info", "debug"]).default("silent"),
  MODEL_DEPLOYER_BIND_HOST: z.ipv4("an IPv4 address of this machine, or 0.0.0.0").default("127.0.0.1"),
  MODEL_DEPLOYER_PROMETHEUS_URL: url(["http:", "https:"]).optional(),
  MODEL_DEPLOYER_PROMETHEUS_TOKEN: z.string().optional(),
  MODEL_DEPLOYER_METRICS_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: url(["http:", "https:"]).optional(),
  OTEL_SERVICE_NAME: z.string().default("model-deployer"),
  MODEL_DEPLOYER_INSTALLATION_KIND: z.enum(["standard", "demo", "existing"]).default("existing"),
  MODEL_DEPLOYER_HOME: folder().default(".model-deployer"),
  MODEL_DEPLOYER_CONTROL_GROUP: z.string().startsWith("/", "the path of a control group").optional(),
  MODEL_DEPLOYER_CACHE: folder().default(join(homedir(), ".cache", "model-deployer")),
  MODEL_DEPLOYER_TOKEN: z.string().min(16).optional(),
  MODEL_DEPLOYER_ENDPOINT_KEY: z.string().min(16).optional(),
  MODEL_DEPLOYER_EFFECTS: z.enum(["live", "dry-run"]).default("live"),
  MODEL_DEPLOYER_ENVIRONMENT_SECONDS: z.coerce.number().min(1).max(604_800).default(3600),
  MODEL_DEPLOYER_FETCH_SECONDS: z.coerce.number().min(1).max(604_800).default(3600),
  MODEL_DEPLOYER_BUILD_SECONDS: z.coerce.number().min(1).max(86_400).default(600),
  MODEL_DEPLOYER_START_SECONDS: z.coerce.number().min(1).max(86_400).default(90),
  MODEL_DEPLOYER_LEASE_SECONDS: z.coerce.number().min(1).max(600).default(30),
  MODEL_DEPLOYER_APPROVAL_DAYS: z.coerce.number().min(1).max(365).default(14),
  MODEL_DEPLOYER_RECONCILE_SECONDS: z.coerce.number().min(1).max(86_400).default(30),
  ...containmentVariables,
  ...servingVariables,
  ...livenessVariables,
  ...keepingVariables,
  MODEL_DEPLOYER_RETENTION_SECONDS: z.coerce.number().min(0).max(2_592_000).default(3600),
});

const environmentSchema = settings.superRefine((values, context) => {
  checkEngineSettings(values, context);
  const problem = oidcProblem(values) ?? mlflowProblem(values) ?? notifications.mailProblem(values);
  if (problem !== null) context.addIssue({ code: "custom", path: [problem.name], message: problem.message });
});

export interface Configuration extends ContainmentSettings, ServingSettings, DiskSettings {
  /** Null: an embedded server of the home. */
  databaseUrl: string | null;
  /** For migrations and administration; null: `databaseUrl`, or the embedded server's owner. */
  databaseOwnerUrl: string | null;
  redisUrl: string | null;
  mlflowUrl: string | null;
  mlflowAuth: MLflowAuth | null;
  /** Where the team's own metrics lie; null: nowhere. */
  prometheus: { url: string; token?: string } | null;
  /** Null: the development default over the same Postgres. */
  supabaseUrl: string | null;
  supabaseKey: string | null;
  /** Where a pipeline keeps its threads; Studio opens them for reading. */
  checkpointsUrl: string | null;
  /** The kind that a new database is made as, and an existing one has to be; `existing` takes it as it is. */
  installation: "standard" | "demo" | "existing";
  /** Bentos, running servers, routers and embedded services. */
  home: string;
  /** Python environments, shared by all homes. */
  cache: string;
  /** The control group below which servers are limited; null: the root of all. */
  controlGroup: string | null;
  /** IPv4 address that new endpoints and the metrics listen at; servers and embedded services stay on 127.0.0.1. */
  bindHost: string;
  /** The token of the principal that asks; without it requests are the agent's own. */
  token: string | null;
  /** The key or token that the pipeline's own predictions come with; null: they come without. */
  endpointKey: string | null;
  effects: "live" | "dry-run";
  /** The host in the addresses of endpoints, where it is not the one that they listen at; null where it is. */
  endpointHost: string | null;
  notifications: notifications.NotificationSettings;
  keyring: notifications.Keyring;
  /** Where people and machines sign in; null: by tokens alone. */
  oidc: OidcSettings | null;
  /** The engine that runs the servers where no policy names another one. */
  engine: EngineSettings;
  /** Those that a policy may name instead. */
  otherEngines: readonly EngineSettings[];
  telemetry: TelemetrySettings;
  /** The longest that making one environment, fetching one artifact, building one bento and starting one server may take. */
  limits: { environmentSeconds: number; fetchSeconds: number; buildSeconds: number; startSeconds: number };
  leaseSeconds: number;
  retentionSeconds: number;
  /** How long an operation waits for approvals before it expires. */
  approvalDays: number;
  /** How often a worker looks for drift. */
  reconcileSeconds: number;
  /** By stage, after how many misses a server that has a process counts as dead. */
  liveness: LivenessSettings;
  /** How a worker prunes by itself. */
  keeping: KeepingSettings;
}

const withoutEmpty = (environment: Record<string, string | undefined>): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""));

/** @throws ConfigurationError that names each variable that is wrong; no value of a secret is shown */
export function readConfiguration(environment: Record<string, string | undefined>): Configuration {
  const given = withoutEmpty(environment);
  refuseUnreadable(given, settings.shape);
  const parsed = environmentSchema.safeParse(given);
  if (!parsed.success) throw unusableBy(parsed.error.issues, given);
  const values = parsed.data;
  return {
    databaseUrl: values.DATABASE_URL ?? null,
    databaseOwnerUrl: values.DATABASE_OWNER_URL ?? null,
    redisUrl: values.REDIS_URL ?? null,
    mlflowUrl: values.MLFLOW_TRACKING_URI ?? null,
    mlflowAuth: mlflowAuth(values),
    prometheus: prometheusOf(values),
    supabaseUrl: values.SUPABASE_URL ?? null,
    supabaseKey: values.SUPABASE_KEY ?? null,
    checkpointsUrl: values.MODEL_DEPLOYER_CHECKPOINTS_URL ?? null,
    installation: values.MODEL_DEPLOYER_INSTALLATION_KIND,
    home: resolve(values.MODEL_DEPLOYER_HOME),
    cache: resolve(values.MODEL_DEPLOYER_CACHE),
    controlGroup: values.MODEL_DEPLOYER_CONTROL_GROUP ?? null,
    bindHost: values.MODEL_DEPLOYER_BIND_HOST,
    token: values.MODEL_DEPLOYER_TOKEN ?? null,
    endpointKey: values.MODEL_DEPLOYER_ENDPOINT_KEY ?? null,
    effects: values.MODEL_DEPLOYER_EFFECTS,
    endpointHost: values.MODEL_DEPLOYER_ENDPOINT_HOST ?? null,
    notifications: notifications.notificationsOf(values),
    oidc: oidcOf(values),
    keyring: notifications.keyringOf(values, given),
    ...enginesOf(values),
    telemetry: telemetryOf(values),
    limits: limitsOf(values),
    leaseSeconds: values.MODEL_DEPLOYER_LEASE_SECONDS,
    retentionSeconds: values.MODEL_DEPLOYER_RETENTION_SECONDS,
    approvalDays: values.MODEL_DEPLOYER_APPROVAL_DAYS,
    liveness: livenessOf(values),
    reconcileSeconds: values.MODEL_DEPLOYER_RECONCILE_SECONDS,
    ...servingOf(values),
    ...containmentOf(values),
    keeping: keepingOf(values),
    ...diskOf(values),
  };
}

function prometheusOf({
  MODEL_DEPLOYER_PROMETHEUS_URL: address,
  MODEL_DEPLOYER_PROMETHEUS_TOKEN: token,
}: z.infer<typeof environmentSchema>): Configuration["prometheus"] {
  return address === undefined ? null : { url: address, ...(token === undefined ? {} : { token }) };
}

function limitsOf(values: z.infer<typeof environmentSchema>): Configuration["limits"] {
  return {
    environmentSeconds: values.MODEL_DEPLOYER_ENVIRONMENT_SECONDS,
    fetchSeconds: values.MODEL_DEPLOYER_FETCH_SECONDS,
    buildSeconds: values.MODEL_DEPLOYER_BUILD_SECONDS,
    startSeconds: values.MODEL_DEPLOYER_START_SECONDS,
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
