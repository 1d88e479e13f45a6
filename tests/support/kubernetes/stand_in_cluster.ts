import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { writeFile } from "node:fs/promises";
import { once } from "node:events";
import { stringify } from "yaml";
import { z } from "zod";
import { parsedJson } from "../../../src/platform/parsed_json.ts";
import { gatewayKinds } from "./gateway_kinds.ts";
import { kinds } from "./kinds.ts";
import { statusOf } from "./refusal_status.ts";
import { NodeAgent, type PodBehaviour, type StandInPod } from "./node_agent.ts";
import { kindOf, ObjectStore, Refusal } from "./object_store.ts";

/** What happens to one call instead of its answer. */
export type Fault =
  /** It is answered with this status, and not carried out. */
  | { status: number; body?: string }
  /** The connection breaks before the call is carried out, or afterwards. */
  | { lost: "call" | "answer" };

const NAMESPACE = "models";
/** One that is not there: lists of it are empty, and nothing is made in it. */
export const MISSING_NAMESPACE = "missing";
/** Where gateways are, which several teams share. */
export const GATEWAY_NAMESPACE = "infra";
const classPath = /^\/apis\/gateway\.networking\.k8s\.io\/v1\/gatewayclasses\/([^/]+)$/;
const paths = /^\/(?:api|apis\/[^/]+)\/[^/]+\/namespaces\/([^/]+)\/([a-z]+)(?:\/([^/]+))?(\/.*)?$/;
const deleteSchema = z.looseObject({
  preconditions: z.looseObject({ uid: z.string().optional() }).optional(),
});
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
  readonly #faults: { matches: RegExp; fault: Fault; times: number }[] = [];

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
    this.#faults.push({ matches, fault, times });
  }

  forgetFaults(): void {
    this.#faults.length = 0;
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
    const fault = this.#faultFor(call);
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

  #faultFor(call: string): Fault | null {
    const found = this.#faults.find(({ matches, times }) => times > 0 && matches.test(call));
    if (found === undefined) return null;
    found.times -= 1;
    return found.fault;
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
    return this.#onObjects({ method: request.method ?? "", plural, name, url, body: parsedJson(text) });
  }

  /** A token is forgotten with the next write, which a real server does some minutes later. */
  #page(plural: string, asked: URLSearchParams): { status: number; body: string } | Refusal {
    const { resourceVersion } = this.objects;
    const [version, from = "0"] = (asked.get("continue") ?? `${resourceVersion}/0`).split("/");
    if (version !== resourceVersion) {
      return new Refusal(410, "Expired", "The provided continue parameter is too old");
    }
    const all = this.objects.list(plural, asked.get("labelSelector") ?? "");
    const end = Number(from) + Number(asked.get("limit") ?? all.length);
    const items = all.slice(Number(from), end);
    const rest = end < all.length ? { continue: `${resourceVersion}/${end}` } : {};
    const { kind, apiVersion } = kindOf(plural);
    this.onPage();
    return json(200, { kind: `${kind}List`, apiVersion, metadata: { resourceVersion, ...rest }, items });
  }

  #review(text: string): { status: number; body: string } | Refusal {
    const asked = reviewSchema.safeParse(parsedJson(text));
    if (!asked.success) return new Refusal(400, "BadRequest", "the review is none");
    const { verb, resource, subresource } = asked.data.spec.resourceAttributes;
    const what = subresource === undefined ? resource : `${resource}/${subresource}`;
    return json(201, { status: { allowed: !this.denied.has(`${verb} ${what}`) } });
  }

  #onObjects({ method, plural, name, url, body }: ObjectCall): { status: number; body: string } | Refusal {
    if (name === undefined) {
      if (method === "POST") return answered(201, this.objects.create(plural, body));
      return this.#page(plural, url.searchParams);
    }
    switch (method) {
      case "GET":
        return answered(200, this.objects.get(plural, name));
      case "PATCH":
        return answered(200, this.objects.patch(plural, name, body));
      case "PUT":
        return answered(200, this.objects.update(plural, name, body));
      case "DELETE": {
        const uid = deleteSchema.safeParse(body).data?.preconditions?.uid;
        return answered(200, this.objects.remove(plural, name, uid));
      }
      default:
        return new Refusal(405, "MethodNotAllowed", `${method} is not supported`);
    }
  }
}

type Outcome = { status: number; body: string } | Refusal;

interface ObjectCall {
  method: string;
  plural: string;
  name: string | undefined;
  url: URL;
  body: unknown;
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

function json(status: number, body: unknown): { status: number; body: string } {
  return { status, body: JSON.stringify(body) };
}

function answered(status: number, outcome: object): { status: number; body: string } | Refusal {
  return outcome instanceof Refusal ? outcome : json(status, outcome);
}
