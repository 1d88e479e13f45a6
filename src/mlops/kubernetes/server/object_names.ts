import { createHash } from "node:crypto";

/** Labels and annotations of everything that is made here. */
export const MARKS = {
  managedBy: "app.kubernetes.io/managed-by",
  installation: "model-deployer/installation",
  /** Of pods and of what selects them: the name of their Deployment. */
  server: "model-deployer/server",
  role: "model-deployer/role",
  /** Of an endpoint's objects: their name, and in an annotation the endpoint's. */
  endpoint: "model-deployer/endpoint",
  endpointName: "model-deployer/endpoint-name",
  /** The newest generation that somebody has begun to apply. */
  claimed: "model-deployer/claimed",
  /** Where the counts of an endpoint's routers begin. */
  figures: "model-deployer/figures",
  /** On an HTTPRoute: what its names stand for, and what was in force before. */
  route: "model-deployer/route",
  /** On a router's pod: the version of the files that it was told to take at once. */
  told: "model-deployer/told",
  /** Hash of the deployment id that the server belongs to now. */
  owner: "model-deployer/owner",
  deploymentId: "model-deployer/deployment-id",
  process: "model-deployer/process",
  bentoTag: "model-deployer/bento-tag",
  image: "model-deployer/image",
  ordinal: "model-deployer/turn",
  /** On the server that the deployment has now; one that is started beside it gets it when it is ready. */
  installed: "model-deployer/installed",
  /** When a server was told to end; it answers on until its routers send it nothing for sure. */
  endingSince: "model-deployer/ending-since",
  specification: "model-deployer/specification",
} as const;

export const MANAGER = "model-deployer";

const SLUG_LENGTH = 30;

/**
 * The name of a server's objects: readable, the same each time, and different for ids that differ in what Kubernetes
 * does not take, such as `_`. A pod's name, which is longer by 17, stays within 63.
 */
export function objectName(installation: string, process: string): string {
  const slug = process
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, SLUG_LENGTH)
    .replace(/^-+|-+$/g, "");
  return ["md", slug, hashOf(`${installation}/${process}`).slice(0, 12)]
    .filter((part) => part !== "")
    .join("-");
}

/** A label's value may hold 63 characters, an id more. */
export function ownerLabel(deploymentId: string): string {
  return hashOf(deploymentId).slice(0, 32);
}

export function processName(deploymentId: string, ordinal: number): string {
  return ordinal === 1 ? deploymentId : `${deploymentId}.${ordinal}`;
}

export function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
