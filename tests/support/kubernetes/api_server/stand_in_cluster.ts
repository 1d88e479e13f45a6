import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { writeFile } from "node:fs/promises";
import { once } from "node:events";
import { stringify } from "yaml";
import { z } from "zod";
import { parsedJson } from "../../../../src/platform/parsed_json.ts";
import { gatewayKinds } from "./gateway_kinds.ts";
import { kinds } from "./kinds.ts";
import { statusOf } from "./refusal_status.ts";
import { NodeAgent, type PodBehaviour, type StandInPod } from "./node_agent.ts";
import { ObjectStore, Refusal } from "./object_store.ts";
import { CallFaults, type Fault } from "./call_faults.ts";
import { onObjects } from "./object_calls.ts";
import { json, type Outcome } from "./outcome.ts";

const NAMESPACE = "models";
/** One that is not there: lists of it are empty, and nothing is made in it. */
export const MISSING_NAMESPACE = "missing";
/** Where gateways are, which several teams share. */
export const GATEWAY_NAMESPACE = "infra";
const classPath = /^\/apis\/gateway\.networking\.k8s\.io\/v1\/gatewayclasses\/([^/]+)$/;
const paths = /^\/(?:api|apis\/[^/]+)\/[^/]+\/namespaces\/([^/]+)\/([a-z]+)(?:\/([^/]+))?(\/.*)?$/;
const reviewSchema = z.strictObject({
  apiVersion: z.literal("authorization.k8s.io/v1"),
  kind: z.literal("SelfSubjectAccessReview"),
  spec: z.strictObject({
    resourceAttributes: z.strictObject({
      namespace: z.string(),
      group: z.string(),
      resource: z.string(),
      verb: z.string(),
      subresource: z.string().optional(),
    }),
  }),
});

/**
 * An API server of one namespace with its controllers and one node, which refuses what a real one (1.36) was seen to
 * refuse: unknown fields, names that are too long, an object that exists, an outdated version, a foreign uid, a changed
 * selector, a token that is not accepted.
 */
export class StandInCluster {
  readonly objects = new ObjectStore();
  readonly node: NodeAgent;
  /** `POST /apis/apps/v1/namespaces/models/deployments`, in the order of their arrival. */
  readonly calls: string[] = [];
  /** `create deployments`, `get pods/log`, in the order of their arrival. */
  readonly verbs: string[] = [];
  /** Verbs and plurals that the caller has no right to, such as `create deployments`. */
  readonly denied = new Set<string>();
  token = "stand-in-token";
  version = "v1.36.2";
  hasMetrics = true;
  /** Whether the kinds of the Gateway API are installed. */
  hasGatewayApi = true;
  /** Called when a call arrives, before it meets a fault. */
  onCall: () => void = () => undefined;
  /** Called after each page of a list. */
  onPage: () => void = () => undefined;
  readonly #server: Server;
  readonly #faults = new CallFaults();

  private constructor(behaviourOf: (pod: StandInPod) => PodBehaviour) {
    this.node = new NodeAgent(this.objects, behaviourOf);
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(behaviourOf: (pod: StandInPod) => PodBehaviour): Promise<StandInCluster> {
    const cluster = new StandInCluster(behaviourOf);
    cluster.#server.listen(0, "127.0.0.1");
    await once(cluster.#server, "listening");
    return cluster;
  }

  get namespace(): string {
    return NAMESPACE;
  }

  get address(): string {
    const bound = z.object({ port: z.int() }).parse(this.#server.address());
    return `http://127.0.0.1:${bound.port}`;
  }

  /** The next calls whose `METHOD /path` matches meet this fault, `times` times. */
  meet(matches: RegExp, fault: Fault, times = 1): void {
    this.#faults.add(matches, fault, times);
  }

  forgetFaults(): void {
    this.#faults.forget();
  }

  async writeKubeconfig(
    path: string,
    user: Record<string, unknown> = { token: this.token },
  ): Promise<string> {
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "stand-in",
      clusters: [{ name: "stand-in", cluster: { server: this.address } }],
      users: [{ name: "tester", user }],
      contexts: [
        { name: "stand-in", context: { cluster: "stand-in", user: "tester", namespace: NAMESPACE } },
      ],
    };
    await writeFile(path, stringify(config));
    return path;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) if (chunk instanceof Uint8Array) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString("utf8");
    const url = new URL(request.url ?? "/", "http://stand-in");
    const call = `${request.method ?? ""} ${url.pathname}`;
    this.calls.push(call);
    this.onCall();
    const fault = this.#faults.meetBy(call);
    if (fault !== null && "status" in fault) {
      const status = new Refusal(fault.status, "Fault", "a fault of the test");
      response.writeHead(fault.status).end(fault.body ?? JSON.stringify(statusOf(status)));
      return;
    }
    if (fault?.lost === "call") return void response.destroy();
    const answer = await this.#carryOut(request, url, text);
    if (fault?.lost === "answer") return void response.destroy();
    if (answer instanceof Refusal) {
      response.writeHead(answer.status, { "content-type": "application/json" });
      response.end(JSON.stringify(statusOf(answer)));
      return;
    }
    response.writeHead(answer.status).end(answer.body);
  }

  #carryOut(request: IncomingMessage, url: URL, text: string): Outcome | Promise<Outcome> {
    if (request.headers.authorization !== `Bearer ${this.token}`) {
      return new Refusal(401, "Unauthorized", "Unauthorized");
    }
    if (url.pathname === "/version")
      return json(200, { major: "1", minor: this.version.split(".")[1] ?? "", gitVersion: this.version });
    if (url.pathname.endsWith("/selfsubjectaccessreviews")) return this.#review(text);
    if (url.pathname === "/apis/metrics.k8s.io/v1beta1" && this.hasMetrics) {
      return json(200, { kind: "APIResourceList", groupVersion: "metrics.k8s.io/v1beta1" });
    }
    const className = classPath.exec(url.pathname)?.[1];
    const [, namespace, plural = "", name, below] =
      className === undefined
        ? (paths.exec(url.pathname) ?? [])
        : [url.pathname, NAMESPACE, "gatewayclasses", className];
    const isKnown = plural in kinds && (this.hasGatewayApi || !(plural in gatewayKinds));
    if (!isKnown) return { status: 404, body: "404 page not found\n" };
    const verb = verbOf(request.method ?? "", name);
    const part = below === undefined ? plural : `${plural}/${below.split("/")[1] ?? ""}`;
    this.verbs.push(`${verb} ${part}`);
    if (namespace === MISSING_NAMESPACE) return inMissing(verb, `${plural} "${String(name)}"`);
    if (
      this.denied.has(`${verb} ${part}`) ||
      namespace !== (plural === "gateways" ? GATEWAY_NAMESPACE : NAMESPACE)
    ) {
      const what = `${plural} is forbidden: User "tester" cannot ${verb} resource "${plural}" in the namespace "${String(namespace)}"`;
      return new Refusal(403, "Forbidden", what);
    }
    if (below !== undefined && name !== undefined) return this.node.below(name, below, url, text);
    const asked = { method: request.method ?? "", plural, name, url, body: parsedJson(text) };
    return onObjects(this.objects, asked, () => this.onPage());
  }

  #review(text: string): Outcome {
    const asked = reviewSchema.safeParse(parsedJson(text));
    if (!asked.success) return new Refusal(400, "BadRequest", "the review is none");
    const { verb, resource, subresource } = asked.data.spec.resourceAttributes;
    const what = subresource === undefined ? resource : `${resource}/${subresource}`;
    return json(201, { status: { allowed: !this.denied.has(`${verb} ${what}`) } });
  }
}

function inMissing(verb: string, what: string): Outcome {
  if (verb === "list") return json(200, { metadata: {}, items: [] });
  const missing = verb === "create" ? `namespaces "${MISSING_NAMESPACE}"` : what;
  return new Refusal(404, "NotFound", `${missing} not found`);
}

function verbOf(method: string, name: string | undefined): string {
  const verbs: Record<string, string> = { POST: "create", PATCH: "patch", PUT: "update", DELETE: "delete" };
  return verbs[method] ?? (name === undefined ? "list" : "get");
}
