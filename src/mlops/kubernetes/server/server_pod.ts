import type { Resources } from "../../../agents/model_deployer/domain/entities.ts";
import { threadsEnvironment } from "../../shared/threads_environment.ts";
import { MANAGER, MARKS } from "./object_names.ts";

export const SERVED_PORT = 3000;
/** Where the image has its parts, and where a server may write. */
export const IMAGE_PATHS = {
  bento: "/srv/bento",
  environment: "/srv/environment",
  scratch: "/var/lib/model-deployer",
} as const;
export const SERVER_CONTAINER = "server";
export const PREDICTIONS_CONTAINER = "predictions";

/** Any user that is not root; nothing in the image belongs to it. */
const USER = 10_001;
/** From the end of a pod's readiness until every router has stopped sending to it. */
export const DRAIN_DELAY_SECONDS = 5;

export interface ServerSettings {
  installation: string;
  /** Seconds from the start until a server must be ready. */
  startSeconds: number;
  /** Seconds that requests under way have when a server is stopped. */
  graceSeconds: number;
  /** Seconds that a server answers on after it was told to end, since its routers do not tell when they have heard. */
  drainDelaySeconds: number;
  /** Addresses of the control plane, which asks pods who they are; null where the network lets it in anyway. */
  controlPlane: string | null;
  /** The namespace of a gateway's proxies, which are let in; null where the deployer's own routers are in front. */
  gatewayPods: string | null;
  /** Name of the Secret by which images are pulled; null where none is needed. */
  pullSecret: string | null;
  /** Limits of predictions, bodies and logs, as the bento's server reads them. */
  environment: Record<string, string>;
}

export interface ServerSpec {
  deployment_id: string;
  /** Which of the deployment's servers this is, counted from 1. */
  ordinal: number;
  bento_tag: string;
  /** By its digest. */
  image: string;
  resources: Resources;
  /** How many pods the deployment has that it is sized by; 0 where there is none. */
  alike: number;
  /** False for a server that is started beside another one. */
  installed: boolean;
}

export function commonLabels(installation: string, name: string): Record<string, string> {
  return { [MARKS.managedBy]: MANAGER, [MARKS.installation]: installation, [MARKS.server]: name };
}

/** The pods of one server: not root, nothing to write but two folders, and no account of the cluster. */
export function podTemplate(
  name: string,
  process: string,
  server: ServerSpec,
  settings: ServerSettings,
): object {
  const spread = (topologyKey: string) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: { [MARKS.server]: name } },
  });
  return {
    metadata: {
      labels: commonLabels(settings.installation, name),
      annotations: { [MARKS.bentoTag]: server.bento_tag },
    },
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...(settings.pullSecret !== null && { imagePullSecrets: [{ name: settings.pullSecret }] }),
      terminationGracePeriodSeconds: settings.graceSeconds + 2 * DRAIN_DELAY_SECONDS,
      securityContext: unprivileged,
      topologySpreadConstraints: [spread("kubernetes.io/hostname"), spread("topology.kubernetes.io/zone")],
      containers: [servingContainer(process, server, settings), predictionsContainer(server.image)],
      volumes: [
        { name: "scratch", emptyDir: { sizeLimit: "1Gi" } },
        { name: "temporary", emptyDir: { sizeLimit: "1Gi" } },
      ],
    },
  };
}

export const unprivileged = {
  runAsNonRoot: true,
  runAsUser: USER,
  runAsGroup: USER,
  fsGroup: USER,
  seccompProfile: { type: "RuntimeDefault" },
};

export const confined = {
  readOnlyRootFilesystem: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
};
const predictionLog = `${IMAGE_PATHS.scratch}/predictions.jsonl`;

function servingContainer(process: string, { image, resources }: ServerSpec, settings: ServerSettings) {
  const room = { cpu: resources.cpu_limit, memory: resources.memory_limit };
  const environment = {
    PYTHONPATH: IMAGE_PATHS.environment,
    PYTHONUNBUFFERED: "1",
    PYTHONDONTWRITEBYTECODE: "1",
    HOME: IMAGE_PATHS.scratch,
    MLFLOW_DISABLE_TELEMETRY: "true",
    ...threadsEnvironment(resources.cpu_limit),
    MODEL_DEPLOYER_DEPLOYMENT_ID: process,
    MODEL_DEPLOYER_PREDICTION_LOG: predictionLog,
    MODEL_DEPLOYER_WORKING_DIRECTORY: IMAGE_PATHS.scratch,
    ...settings.environment,
  };
  const probe = (path: string, more: object) => ({ httpGet: { path, port: SERVED_PORT }, ...more });
  const grace = String(settings.graceSeconds);
  return {
    name: SERVER_CONTAINER,
    image,
    command: ["python", `${IMAGE_PATHS.bento}/src/serve.py`, "0.0.0.0", String(SERVED_PORT), grace],
    env: Object.entries(environment).map(([name, value]) => ({ name, value })),
    ports: [{ name: "http", containerPort: SERVED_PORT, protocol: "TCP" }],
    resources: { requests: room, limits: room },
    // A model takes as long to load as it takes; what answers /livez is never restarted for being busy.
    startupProbe: probe("/readyz", {
      periodSeconds: 1,
      timeoutSeconds: 5,
      failureThreshold: Math.max(1, Math.ceil(settings.startSeconds)),
    }),
    readinessProbe: probe("/readyz", { periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 2 }),
    livenessProbe: probe("/livez", { periodSeconds: 15, timeoutSeconds: 10, failureThreshold: 2 }),
    lifecycle: { preStop: { exec: { command: ["sleep", String(DRAIN_DELAY_SECONDS)] } } },
    securityContext: confined,
    volumeMounts: [
      { name: "scratch", mountPath: IMAGE_PATHS.scratch },
      { name: "temporary", mountPath: "/tmp" },
    ],
  };
}

/** Prints the prediction log, so that it is read through the API as any container's output is. */
function predictionsContainer(image: string) {
  const room = { cpu: "10m", memory: "32Mi" };
  return {
    name: PREDICTIONS_CONTAINER,
    image,
    // The first process of a container ends by no signal that it does not handle, and would hold up its pod's end.
    command: ["sh", "-c", 'tail -n +1 -F "$0" & trap "kill $!" TERM; wait', predictionLog],
    resources: { requests: room, limits: { ...room, cpu: "100m" } },
    securityContext: confined,
    volumeMounts: [{ name: "scratch", mountPath: IMAGE_PATHS.scratch, readOnly: true }],
  };
}
