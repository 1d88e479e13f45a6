import { z } from "zod";
import type { ClusterClient } from "../api/cluster_client.ts";
import { FEATURES, lookAtGateway, type GatewayPlace } from "../gateway/gateway_features.ts";
import { type NeededRight, neededRights } from "./cluster_rights.ts";

const versionSchema = z.object({ major: z.string(), minor: z.string(), gitVersion: z.string() });
const reviewSchema = z.object({ status: z.object({ allowed: z.boolean() }) });

/** The oldest minor version of Kubernetes 1 that has all kinds that are made, `autoscaling/v2` and `policy/v1` above all. */
const OLDEST_MINOR = 25;

/** The findings of a look at a cluster; `problem` names what is missing and the way out, null where all is well. */
export interface ClusterFinding {
  part: "version" | "rights" | "metrics" | "gateway";
  found: string;
  problem: string | null;
}

/** Looks at what a cluster has and lets this deployer do. It makes and changes nothing. */
export class ClusterDiagnosis {
  readonly #client: ClusterClient;
  readonly #namespace: string;

  constructor(client: ClusterClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  async version(signal: AbortSignal): Promise<ClusterFinding> {
    const version = await this.#client.get("/version", versionSchema, signal);
    const minor = Number.parseInt(version?.minor ?? "0", 10);
    const found = `${version?.gitVersion ?? "an unknown version"} at ${this.#client.server}`;
    const isOld = version?.major === "1" && minor < OLDEST_MINOR;
    const problem = isOld ? `use Kubernetes 1.${OLDEST_MINOR} or newer` : null;
    return { part: "version", found, problem };
  }

  /** Asks for each right by a SelfSubjectAccessReview. */
  async rights(signal: AbortSignal, more: readonly NeededRight[] = []): Promise<ClusterFinding> {
    const asked = [...neededRights, ...more].flatMap(({ group, resource, verbs }) =>
      verbs.map((verb) => ({ group, resource, verb })),
    );
    const answers = await Promise.all(asked.map((right) => this.#isAllowed(right, signal)));
    const missing = asked.filter((_right, index) => answers[index] !== true);
    const names = missing.map(({ verb, resource }) => `${verb} ${resource}`);
    const found = `${asked.length - missing.length} of ${asked.length} rights in namespace ${this.#namespace}`;
    const problem =
      names.length === 0
        ? null
        : `missing: ${names.join(", ")}; \`model-deployer manifests | kubectl apply -f -\` grants them`;
    return { part: "rights", found, problem };
  }

  /** Without resource metrics an autoscaler stays where it is. */
  async metrics(signal: AbortSignal): Promise<ClusterFinding> {
    const path = "/apis/metrics.k8s.io/v1beta1";
    const group = await this.#client.get(path, z.object({ kind: z.string() }), signal);
    return group === null
      ? {
          part: "metrics",
          found: "no metrics API",
          problem: "install metrics-server; until then servers keep the number of pods that they began with",
        }
      : { part: "metrics", found: "the metrics API answers", problem: null };
  }

  /** No route may ask of a gateway what its class does not list. */
  async gateway(place: GatewayPlace, signal: AbortSignal): Promise<ClusterFinding> {
    const name = `Gateway ${place.namespace}/${place.name}`;
    const seen = await lookAtGateway(this.#client, place, signal);
    if (seen === null) {
      const problem = `make it, with the definitions of the Gateway API 1.4 or newer, or name another one by MODEL_DEPLOYER_GATEWAY_NAME`;
      return { part: "gateway", found: `no ${name}`, problem };
    }
    const { className, controller, features, notProgrammed } = seen;
    const found = `${name} of class ${className}${controller === null ? "" : ` by ${controller}`}`;
    if (notProgrammed !== null) {
      return { part: "gateway", found: `${found}, not programmed`, problem: notProgrammed };
    }
    if (features === null) {
      const problem = `its class does not say what it supports: whether a shadow gets copies (${FEATURES.mirror}) shows with the first one`;
      return { part: "gateway", found, problem };
    }
    const lacks = Object.values(FEATURES).filter((feature) => !features.includes(feature));
    const effects = {
      [FEATURES.mirror]: "shadows are refused",
      [FEATURES.timeout]: "its own limit ends long predictions, which then count as answered",
    };
    const problem = lacks.map((feature) => `${feature} is not listed: ${effects[feature]}`).join("; ");
    const listed = `${found}, ${features.length} features`;
    return { part: "gateway", found: listed, problem: problem === "" ? null : problem };
  }

  async #isAllowed(
    { group, resource, verb }: { group: string; resource: string; verb: string },
    signal: AbortSignal,
  ): Promise<boolean> {
    const [plural, subresource] = resource.split("/");
    const resourceAttributes = {
      namespace: this.#namespace,
      group,
      resource: plural,
      verb,
      ...(subresource !== undefined && { subresource }),
    };
    const answer = await this.#client.create(
      "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
      {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SelfSubjectAccessReview",
        spec: { resourceAttributes },
      },
      reviewSchema,
      signal,
    );
    return answer?.status.allowed === true;
  }
}
