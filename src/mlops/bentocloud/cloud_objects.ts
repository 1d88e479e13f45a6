import { createHash } from "node:crypto";
import { z } from "zod";
import type { Resources } from "../../agents/model_deployer/domain/entities.ts";

/** Nulls are sent where nothing is said. */
const textOrNone = z
  .string()
  .nullish()
  .transform((value) => value ?? "");

export const instanceTypesSchema = z.array(
  z.object({
    name: z.string(),
    config: z.object({
      price: textOrNone,
      resources: z.object({ requests: z.object({ cpu: textOrNone, memory: textOrNone }) }),
    }),
  }),
);
export type InstanceType = z.infer<typeof instanceTypesSchema>[number];

export const bentoSchema = z.object({ upload_status: z.string() });

/** The platform's view of a deployment; a word that is not known here is kept, and counts as starting. */
export const cloudDeploymentSchema = z.object({
  name: z.string(),
  status: z.string(),
  urls: z
    .array(z.string())
    .nullish()
    .transform((urls) => urls ?? []),
  labels: z
    .array(z.object({ key: z.string(), value: z.string() }))
    .nullish()
    .transform((labels) => new Map((labels ?? []).map(({ key, value }) => [key, value]))),
});
export type CloudDeployment = z.infer<typeof cloudDeploymentSchema>;

export const deploymentListSchema = z.object({
  total: z.int(),
  items: z.array(cloudDeploymentSchema),
});

/** Labels by which a deployer knows its own. */
const LABELS = {
  installation: "model-deployer-installation",
  owner: "model-deployer-deployment",
  process: "model-deployer-process",
  bentoTag: "model-deployer-bento",
  ordinal: "model-deployer-turn",
  installed: "model-deployer-installed",
  instance: "model-deployer-instance",
  resources: "model-deployer-resources",
} as const;

/** One server as its labels describe it. */
export interface CloudServer {
  deployment_id: string;
  /** The deployment that it was started for. */
  process: string;
  bento_tag: string;
  ordinal: number;
  installed: boolean;
  instance: string;
  resources: Resources;
}

export interface SeenServer extends CloudServer {
  seen: CloudDeployment;
}

const resourcesSchema = z.object({
  replicas: z.int(),
  cpu_limit: z.string(),
  memory_limit: z.string(),
  autoscaling: z.object({ min: z.int(), max: z.int(), target_cpu: z.int() }),
});

/** Null for a deployment that is none of this installation's. */
export function seenServer(seen: CloudDeployment, installation: string): SeenServer | null {
  const { labels } = seen;
  const text = (key: string) => labels.get(key) ?? "";
  const owner = text(LABELS.owner);
  if (text(LABELS.installation) !== installation || owner === "") return null;
  const resources = resourcesSchema.safeParse(JSON.parse(text(LABELS.resources) || "null"));
  if (!resources.success) return null;
  return {
    deployment_id: owner,
    process: text(LABELS.process),
    bento_tag: text(LABELS.bentoTag),
    ordinal: Number(text(LABELS.ordinal)),
    installed: text(LABELS.installed) === "true",
    instance: text(LABELS.instance),
    resources: resources.data,
    seen,
  };
}

/** The same each time, and different for ids that differ in what the platform does not take. */
export function cloudName(installation: string, deploymentId: string, ordinal: number): string {
  const slug = deploymentId
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 24)
    .replace(/^-+|-+$/g, "");
  const hash = createHash("sha256").update(`${installation}/${deploymentId}/${ordinal}`).digest("hex");
  return ["md", slug, hash.slice(0, 10)].filter((part) => part !== "").join("-");
}

const SERVICE = "model_service";

export interface RequestSettings {
  installation: string;
  /** Requests under way at which a replica counts as busy; null where nothing may scale. */
  concurrency: number | null;
  /** Limits of predictions and bodies, as the bento's server reads them. */
  environment: Record<string, string>;
}

/** The whole of a deployment, for `POST` and for `PUT`, which replaces all of it. */
export function deploymentRequest(name: string, server: CloudServer, settings: RequestSettings): object {
  const { min, max } = server.resources.autoscaling;
  const isScaled = max > min;
  const { replicas } = server.resources;
  const scaling = isScaled
    ? { min_replicas: min, max_replicas: max }
    : { min_replicas: replicas, max_replicas: replicas };
  const environment = {
    ...settings.environment,
    MODEL_DEPLOYER_DEPLOYMENT_ID: server.process,
  };
  const labels = {
    [LABELS.installation]: settings.installation,
    [LABELS.owner]: server.deployment_id,
    [LABELS.process]: server.process,
    [LABELS.bentoTag]: server.bento_tag,
    [LABELS.ordinal]: String(server.ordinal),
    [LABELS.installed]: String(server.installed),
    [LABELS.instance]: server.instance,
    [LABELS.resources]: JSON.stringify(server.resources),
  };
  return {
    name,
    bento: server.bento_tag,
    access_authorization: true,
    envs: Object.entries(environment).map(([key, value]) => ({ name: key, value })),
    labels: Object.entries(labels).map(([key, value]) => ({ key, value })),
    secrets: null,
    canary: null,
    services: {
      [SERVICE]: {
        instance_type: server.instance,
        scaling: { ...scaling, policy: null },
        envs: null,
        deployment_strategy: null,
        extras: null,
        cold_start_timeout: null,
        config_overrides:
          isScaled && settings.concurrency !== null ? { traffic: { concurrency: settings.concurrency } } : {},
      },
    },
  };
}
