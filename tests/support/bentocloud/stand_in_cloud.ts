import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { z } from "zod";
import { parsedJson } from "../../../src/platform/parsed_json.ts";
import { CloudDeployments } from "./cloud_deployments.ts";

/** What one call meets instead of its answer. */
export type CloudFault = { status: number; body?: string } | { lost: "call" | "answer" };

interface Reply {
  status: number;
  body: object;
}

const TOKEN = "stand-in-key-0123456789";
const recordSchema = z.looseObject({ name: z.string() });
const versionSchema = z.looseObject({ version: z.string() });
const finishSchema = z.looseObject({ status: z.string(), reason: z.string().nullish() });
const missing = (what: string): Reply => ({ status: 404, body: { error: `record not found: ${what}` } });
const fine = (body: object): Reply => ({ status: 200, body });

/** Times have no zone. */
export const cloudTime = () => new Date().toISOString().replace("T", " ").replace("Z", "000");

export function cloudRecord(name: string, resource_type: string, more: object = {}): Record<string, unknown> {
  const uid = randomUUID().replaceAll("-", "");
  const created_at = cloudTime();
  const times = { created_at, updated_at: created_at, deleted_at: null };
  return { uid, ...times, name, resource_type, labels: [], ...more };
}

/** BentoCloud's REST API as far as BentoML's client 1.4.39 and this deployer use it. */
export class StandInCloud {
  readonly token = TOKEN;
  /** `POST /api/v2/deployments`, in the order of their arrival. */
  readonly calls: string[] = [];
  readonly deployments: CloudDeployments;
  /** Called when a call arrives. */
  onCall: () => void = () => undefined;
  instanceTypes = [
    instanceType("cpu.1", "1", "2Gi"),
    instanceType("cpu.2", "2", "4Gi"),
    instanceType("gpu.l4", null, null),
  ];
  readonly #repositories = new Map<string, Record<string, unknown>>();
  readonly #bentos = new Map<string, Record<string, unknown>>();
  readonly #server: Server;
  readonly #faults: { matches: RegExp; fault: CloudFault; times: number }[] = [];

  private constructor(deployments: CloudDeployments) {
    this.deployments = deployments;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(): Promise<StandInCloud> {
    const cloud = new StandInCloud(new CloudDeployments());
    cloud.#server.listen(0, "127.0.0.1");
    await once(cloud.#server, "listening");
    return cloud;
  }

  get address(): string {
    return `http://127.0.0.1:${z.object({ port: z.int() }).parse(this.#server.address()).port}`;
  }

  /** As if a client had pushed it. */
  addBento(tag: string): void {
    const [name = "", version = ""] = tag.split(":");
    this.#repositories.set(
      name,
      cloudRecord(name, "bento_repository", { description: "", latest_bento: null }),
    );
    this.#bentos.set(tag, bentoRecord(version, "success"));
  }

  uploadStatus(tag: string): unknown {
    return this.#bentos.get(tag)?.["upload_status"];
  }

  /** The next calls whose `METHOD /path` matches meet this fault. */
  meet(matches: RegExp, fault: CloudFault, times = 1): void {
    this.#faults.push({ matches, fault, times });
  }

  forgetFaults(): void {
    this.#faults.length = 0;
  }

  async close(): Promise<void> {
    await this.deployments.close();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) if (chunk instanceof Uint8Array) chunks.push(chunk);
    const url = new URL(request.url ?? "/", this.address);
    const call = `${request.method ?? ""} ${url.pathname}`;
    this.calls.push(call);
    this.onCall();
    const found = this.#faults.find(({ matches, times }) => times > 0 && matches.test(call));
    if (found !== undefined) found.times -= 1;
    const fault = found?.fault;
    if (fault !== undefined && "status" in fault) {
      response.writeHead(fault.status).end(fault.body ?? '{"error": "a fault of the test"}');
      return;
    }
    if (fault?.lost === "call") return void response.destroy();
    const body = parsedJson(Buffer.concat(chunks).toString("utf8"));
    const reply = await this.#reply(request, url, body).catch((error: unknown): Reply => {
      return { status: 400, body: { error: String(error) } };
    });
    if (fault?.lost === "answer") return void response.destroy();
    response.writeHead(reply.status, { "content-type": "application/json" }).end(JSON.stringify(reply.body));
  }

  async #reply({ method = "", headers }: IncomingMessage, url: URL, body: unknown): Promise<Reply> {
    const path = url.pathname;
    if (path.startsWith("/uploads/")) return fine({});
    if (headers["x-yatai-api-token"] !== TOKEN) return { status: 401, body: { error: "unauthorized" } };
    const user = { name: "ci", email: "ci@example.org", first_name: "C", last_name: "I" };
    if (path === "/api/v1/auth/current") return fine(user);
    if (path === "/api/v1/current_org") return fine(cloudRecord("acme", "organization", { description: "" }));
    if (path === "/api/v1/instance_types") return fine(this.instanceTypes);
    if (path.startsWith("/api/v1/bento_repositories")) return this.#bentoReply(method, path, body);
    const [, name, verb] = /^\/api\/v2\/deployments(?:\/([^/]+))?(?:\/(\w+))?$/.exec(path) ?? [];
    if (!path.startsWith("/api/v2/deployments")) return missing(path);
    const isKnown = (tag: string) => this.#bentos.get(tag)?.["upload_status"] === "success";
    return this.deployments.reply({ method, name, verb, query: url.searchParams, body }, isKnown);
  }

  #bentoReply(method: string, path: string, body: unknown): Reply {
    const [, , , , repository, , version, verb] = path.split("/");
    if (repository === undefined) {
      const { name } = recordSchema.parse(body);
      const made = cloudRecord(name, "bento_repository", { description: "", latest_bento: null });
      this.#repositories.set(name, made);
      return fine(made);
    }
    if (path.split("/").length === 5) {
      const found = this.#repositories.get(repository);
      return found === undefined ? missing(repository) : fine(found);
    }
    if (version === undefined) {
      const given = versionSchema.parse(body);
      const made = { ...bentoRecord(given.version, "pending"), ...given };
      this.#bentos.set(`${repository}:${given.version}`, made);
      return fine(made);
    }
    const bento = this.#bentos.get(`${repository}:${version}`);
    if (bento === undefined) return missing(`${repository}:${version}`);
    if (verb === undefined && method === "PATCH") Object.assign(bento, body);
    return fine(this.#upload(bento, verb, body));
  }

  #upload(bento: Record<string, unknown>, verb: string | undefined, body: unknown): Record<string, unknown> {
    if (verb === "presign_upload_url") {
      return { ...bento, presigned_upload_url: `${this.address}/uploads/${randomUUID()}` };
    }
    if (verb === "start_upload")
      Object.assign(bento, { upload_status: "uploading", upload_started_at: cloudTime() });
    if (verb === "upload") bento["upload_status"] = "success";
    if (verb === "finish_upload") {
      const { status, reason } = finishSchema.parse(body);
      Object.assign(bento, { upload_status: status, upload_finished_reason: reason ?? "" });
    }
    return bento;
  }
}

function bentoRecord(version: string, upload_status: string): Record<string, unknown> {
  return cloudRecord(version, "bento", {
    description: "",
    version,
    image_build_status: "pending",
    upload_status,
    upload_finished_reason: "",
    presigned_upload_url: "",
    presigned_download_url: "",
    manifest: emptyManifest,
    transmission_strategy: null,
    upload_id: null,
    build_at: cloudTime(),
  });
}

const emptyManifest = {
  service: "service:ModelService",
  bentoml_version: "1.4.39",
  size_bytes: 1,
  entry_service: "model_service",
  name: "model",
  apis: {},
  models: [],
  runners: [],
  services: [],
  envs: [],
  schema: {},
};

function instanceType(name: string, cpu: string | null, memory: string | null): Record<string, unknown> {
  const resources = { requests: { cpu, memory }, limits: { cpu, memory } };
  const config = { group: "cpu", price: "0.1", resources };
  return cloudRecord(name, "resource_instance", { display_name: name, description: "", config });
}
