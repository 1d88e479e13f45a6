import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { type EngineKind, engineKindSchema } from "../../agents/model_deployer/domain/servers/engines.ts";
import { checkGateway, gatewayOf, type GatewaySettings, gatewayVariables } from "./gateway_settings.ts";

/** The platforms that run servers, as the environment names them; the first is the usual one. */
export const engineVariables = {
  MODEL_DEPLOYER_ENGINE: engineNames(),
  BENTO_CLOUD_API_ENDPOINT: z
    .url({
      protocol: /^https?$/,
      error: "the address of your BentoCloud, as in https://team.cloud.bentoml.com",
    })
    .optional(),
  BENTO_CLOUD_API_KEY: z.string().min(1).optional(),
  MODEL_DEPLOYER_BENTOCLOUD_CLUSTER: z.string().optional(),
  MODEL_DEPLOYER_BENTOCLOUD_CONCURRENCY: z.coerce.number().int().min(1).max(10_000).optional(),
  KUBECONFIG: z.string().optional(),
  DOCKER_CONFIG: z.string().optional(),
  KUBERNETES_SERVICE_HOST: z.string().optional(),
  MODEL_DEPLOYER_KUBERNETES_CONTEXT: z.string().optional(),
  MODEL_DEPLOYER_KUBERNETES_NAMESPACE: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'the name of a namespace, such as "models"')
    .optional(),
  MODEL_DEPLOYER_KUBERNETES_CONTROL_PLANE: z
    .cidrv4('the addresses of the API server, as in "10.0.0.0/28"')
    .optional(),
  MODEL_DEPLOYER_KUBERNETES_INSTALLATION: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/, 'at most 32 of a-z, 0-9 and "-", such as "team-a"')
    .default("default"),
  MODEL_DEPLOYER_OWN_IMAGES: z
    .string()
    .regex(
      /^[a-zA-Z0-9.-]+(:\d+)?\/(?=.*\{name\})[a-z0-9._/{}-]+:(?=.*\{version\})[A-Za-z0-9._{}-]+$/,
      "an image with {name} and {version} for the two parts of a bento's tag, as in registry.example.org/team/{name}:{version}",
    )
    .optional(),
  MODEL_DEPLOYER_IMAGE_PULL_SECRET: z.string().optional(),
  MODEL_DEPLOYER_ROUTER: z.enum(["cluster", "worker", "gateway"]).default("cluster"),
  ...gatewayVariables,
  MODEL_DEPLOYER_ROUTER_REPLICAS: z.coerce.number().int().min(1).max(100).default(2),
  MODEL_DEPLOYER_ROUTER_IMAGE: z
    .string()
    .regex(
      /^[a-zA-Z0-9.-]+(:\d+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}|@sha256:[0-9a-f]{64})$/,
      "an image with Envoy by its digest or tag, as in registry.example.org/envoy:v1.40.0",
    )
    .default("docker.io/envoyproxy/envoy:v1.40.0"),
  MODEL_DEPLOYER_ENDPOINT_HOST: z
    .string()
    .regex(/^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/, "a host name or IPv4 address, as callers reach it")
    .optional(),
  MODEL_DEPLOYER_IMAGE_REPOSITORY: z
    .string()
    .regex(
      /^[a-zA-Z0-9.-]+(:\d+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+$/,
      "a registry's host and a path in it, without a tag, as in registry.example.org/team/models",
    )
    .optional(),
  MODEL_DEPLOYER_IMAGE_BASE: z
    .string()
    .regex(
      /^[a-zA-Z0-9.-]+(:\d+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)+@sha256:[0-9a-f]{64}$/,
      "an image with Python by its digest, as in registry.example.org/python@sha256:4f2c...",
    )
    .optional(),
};

type EngineValues = z.infer<z.ZodObject<typeof engineVariables>>;

/** Where the routers of endpoints run: with the worker, as Deployments of their own, or as somebody's gateway. */
export type RouterChoice =
  { kind: "worker" } | { kind: "cluster"; image: string; replicas: number } | GatewaySettings;

export interface KubernetesSettings {
  kind: "kubernetes";
  /** Path of a kubeconfig; null for the service account of the pod that this process runs in. */
  kubeconfig: string | null;
  context: string | null;
  namespace: string;
  /** Addresses that the API server reaches pods from, where the network keeps policies against it too. */
  controlPlane: string | null;
  /** Tells this deployer's objects from those of another one in the same namespace. */
  installation: string;
  images:
    | {
        kind: "made";
        /** Where images of bentos are pushed to, `host[:port]/path`. */
        repository: string;
        /** The image that they are made on, by its digest. */
        base: string;
      }
    /** Somebody else makes them; `{name}` and `{version}` stand for the parts of a bento's tag. */
    | { kind: "own"; pattern: string };
  router: RouterChoice;
  /** Name of the Secret by which pods pull; null where they need none. */
  pullSecret: string | null;
  /** Folder of Docker's `config.json` with credentials of registries. */
  dockerConfig: string;
}

export interface BentoCloudSettings {
  kind: "bentocloud";
  endpoint: string;
  token: string;
  /** Tells this deployer's deployments from those of another one in the same organisation. */
  installation: string;
  /** Of the organisation; null for its default. */
  cluster: string | null;
  /** Requests under way that one replica should have, by which the platform scales; null where nothing may scale. */
  concurrency: number | null;
}

export type EngineSettings = { kind: "local" } | KubernetesSettings | BentoCloudSettings;

const neededOnBentoCloud = {
  BENTO_CLOUD_API_ENDPOINT: "the address of your BentoCloud, as in https://team.cloud.bentoml.com",
  BENTO_CLOUD_API_KEY: "an API token of it, which is made on its page",
} as const;

const neededOnKubernetes = {
  MODEL_DEPLOYER_KUBERNETES_NAMESPACE: "the namespace that models are served in",
  MODEL_DEPLOYER_IMAGE_REPOSITORY:
    "where images of models are pushed to, as in registry.example.org/team/models",
  MODEL_DEPLOYER_IMAGE_BASE:
    "the image with Python that they are made on, by its digest, as in registry.example.org/python@sha256:4f2c...",
} as const;

/** `local`, or several: `local,kubernetes`. */
function engineNames() {
  const said = `${engineKindSchema.options.join(", ")}, or several of them with the usual one first, as in local,kubernetes`;
  return z
    .string()
    .transform((text) => text.split(",").map((name) => name.trim()))
    .pipe(z.array(z.enum(engineKindSchema.options, said)))
    .refine((names) => new Set(names).size === names.length, { error: "each engine once" })
    .default(["local"]);
}

/** Adds a problem for each setting that a chosen engine needs and the environment has not. */
export function checkEngineSettings(values: EngineValues, context: z.RefinementCtx): void {
  const engines = values.MODEL_DEPLOYER_ENGINE;
  if (engines.includes("kubernetes")) {
    if (values.MODEL_DEPLOYER_ROUTER === "gateway") checkGateway(values, context);
    checkNeeded(neededOnKubernetes, values, context);
  }
  if (engines.includes("bentocloud")) checkNeeded(neededOnBentoCloud, values, context);
}

function checkNeeded(
  needed: Readonly<Record<string, string>>,
  values: EngineValues,
  context: z.RefinementCtx,
) {
  const isMade = values.MODEL_DEPLOYER_OWN_IMAGES === undefined;
  for (const [name, what] of Object.entries(needed)) {
    if (name.startsWith("MODEL_DEPLOYER_IMAGE_") && !isMade) continue;
    if (Object.entries(values).some(([given, value]) => given === name && value !== undefined)) continue;
    context.addIssue({
      code: "custom",
      path: [name],
      message: `MODEL_DEPLOYER_ENGINE=${values.MODEL_DEPLOYER_ENGINE.join(",")} needs ${what}`,
    });
  }
}

/** The usual engine, and those that serve beside it where a policy says so. */
export function enginesOf(values: EngineValues): { engine: EngineSettings; otherEngines: EngineSettings[] } {
  const [engine = { kind: "local" }, ...otherEngines] = values.MODEL_DEPLOYER_ENGINE.map((kind) =>
    settingsOf(kind, values),
  );
  return { engine, otherEngines };
}

function settingsOf(kind: EngineKind, values: EngineValues): EngineSettings {
  switch (kind) {
    case "local":
      return { kind };
    case "kubernetes":
      return kubernetesOf(values);
    case "bentocloud":
      return bentoCloudOf(values);
    default:
      return kind satisfies never;
  }
}

function kubernetesOf(values: EngineValues): KubernetesSettings {
  const isInPod = values.KUBERNETES_SERVICE_HOST !== undefined;
  const usual = isInPod ? null : join(homedir(), ".kube", "config");
  return {
    kind: "kubernetes",
    kubeconfig: values.KUBECONFIG ?? usual,
    context: values.MODEL_DEPLOYER_KUBERNETES_CONTEXT ?? null,
    namespace: values.MODEL_DEPLOYER_KUBERNETES_NAMESPACE ?? "",
    controlPlane: values.MODEL_DEPLOYER_KUBERNETES_CONTROL_PLANE ?? null,
    installation: values.MODEL_DEPLOYER_KUBERNETES_INSTALLATION,
    images: imagesOf(values),
    router: routerOf(values),
    pullSecret: values.MODEL_DEPLOYER_IMAGE_PULL_SECRET ?? null,
    dockerConfig: values.DOCKER_CONFIG ?? join(homedir(), ".docker"),
  };
}

function bentoCloudOf(values: EngineValues): BentoCloudSettings {
  return {
    kind: "bentocloud",
    endpoint: values.BENTO_CLOUD_API_ENDPOINT ?? "",
    token: values.BENTO_CLOUD_API_KEY ?? "",
    installation: values.MODEL_DEPLOYER_KUBERNETES_INSTALLATION,
    cluster: values.MODEL_DEPLOYER_BENTOCLOUD_CLUSTER ?? null,
    concurrency: values.MODEL_DEPLOYER_BENTOCLOUD_CONCURRENCY ?? null,
  };
}

function routerOf(values: EngineValues): RouterChoice {
  if (values.MODEL_DEPLOYER_ROUTER === "worker") return { kind: "worker" };
  if (values.MODEL_DEPLOYER_ROUTER === "gateway") return gatewayOf(values);
  const { MODEL_DEPLOYER_ROUTER_IMAGE: image, MODEL_DEPLOYER_ROUTER_REPLICAS: replicas } = values;
  return { kind: "cluster", image, replicas };
}

function imagesOf(values: EngineValues): KubernetesSettings["images"] {
  const pattern = values.MODEL_DEPLOYER_OWN_IMAGES;
  if (pattern !== undefined) return { kind: "own", pattern };
  const { MODEL_DEPLOYER_IMAGE_REPOSITORY: repository = "", MODEL_DEPLOYER_IMAGE_BASE: base = "" } = values;
  return { kind: "made", repository, base };
}
