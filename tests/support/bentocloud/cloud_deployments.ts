import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { z } from "zod";
import { cloudRecord, cloudTime } from "./stand_in_cloud.ts";

interface Asked {
  method: string;
  name: string | undefined;
  verb: string | undefined;
  query: URLSearchParams;
  body: unknown;
}

interface Kept {
  record: Record<string, unknown>;
  body: z.infer<typeof requestSchema>;
  /** Words that the platform says one after another, each once; the last one stays. */
  statuses: string[];
  server: Server;
}

const pairs = z.array(z.looseObject({ value: z.string() })).nullish();
/** The client sends more than this deployer. */
const requestSchema = z.looseObject({
  name: z.string().nullish(),
  bento: z.string(),
  access_authorization: z.boolean().nullish(),
  envs: z.array(z.object({ name: z.string(), value: z.string() })).nullish(),
  labels: pairs,
  secrets: z.unknown().optional(),
  canary: z.unknown().optional(),
  services: z.record(
    z.string(),
    z.looseObject({
      instance_type: z.string().nullish(),
      scaling: z
        .object({ min_replicas: z.int(), max_replicas: z.int(), policy: z.unknown().optional() })
        .nullish(),
    }),
  ),
  cluster: z.unknown().optional(),
  distributed: z.unknown().optional(),
});

const user = { name: "ci", email: "ci@example.org", first_name: "C", last_name: "I" };

/** The deployments of the stand-in; each that runs answers as its bento's server does, at an address of its own. */
export class CloudDeployments {
  readonly #kept = new Map<string, Kept>();
  /** By bento: what its deployments become instead of running. */
  readonly becomes = new Map<string, string>();

  async reply(asked: Asked, isKnown: (tag: string) => boolean): Promise<{ status: number; body: object }> {
    const { method, name, verb, query } = asked;
    if (name === undefined) return method === "GET" ? this.#list(query) : this.#create(asked.body, isKnown);
    const found = this.#kept.get(name);
    if (found === undefined) return { status: 404, body: { error: `record not found: ${name}` } };
    if (method === "PUT") {
      // A changed deployment is the whole of what is given; one that failed begins anew.
      found.body = requestSchema.parse(asked.body);
      if (found.statuses.at(-1) === "failed") found.statuses = this.#life(found.body.bento);
      return { status: 200, body: viewOf(found) };
    }
    if (verb === "terminate") found.statuses = ["terminating", "terminated"];
    if (method === "DELETE") {
      if (!["terminated", "failed"].includes(found.statuses.at(-1) ?? "")) {
        return { status: 400, body: { error: "terminate it first" } };
      }
      this.#kept.delete(name);
      await end(found.server);
    }
    return { status: 200, body: viewOf(found) };
  }

  /** As if the platform said this from now on. */
  say(deploymentId: string, status: string): void {
    for (const one of this.#kept.values()) {
      if (labelOf(one, "model-deployer-deployment") === deploymentId) one.statuses = [status];
    }
  }

  requests(): object[] {
    return [...this.#kept.values()].map(({ body }) => body);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#kept.values()].map(({ server }) => end(server)));
  }

  #life(bento: string): string[] {
    return ["image-building", "deploying", this.becomes.get(bento) ?? "running"];
  }

  #list(query: URLSearchParams): { status: number; body: object } {
    const all = [...this.#kept.values()];
    const start = Number(query.get("start") ?? 0);
    const items = all.slice(start, start + Number(query.get("count") ?? 20)).map(viewOf);
    return { status: 200, body: { start, count: items.length, total: all.length, items } };
  }

  async #create(
    given: unknown,
    isKnown: (tag: string) => boolean,
  ): Promise<{ status: number; body: object }> {
    const body = requestSchema.parse(given);
    const name = body.name ?? "unnamed";
    if (this.#kept.has(name)) return { status: 409, body: { error: "already exists" } };
    if (!isKnown(body.bento)) return { status: 400, body: { error: "bento: record not found" } };
    const server = await serve(body);
    const { port } = z.object({ port: z.int() }).parse(server.address());
    const cluster = cloudRecord("default", "cluster", {
      description: "",
      organization_name: "acme",
      creator: user,
      is_first: true,
    });
    const record = cloudRecord(name, "deployment", {
      kube_namespace: "ns",
      creator: user,
      cluster,
      urls: [`http://127.0.0.1:${port}`],
      manifest: { dev: false },
    });
    const made = { record, body, server, statuses: this.#life(body.bento) };
    this.#kept.set(name, made);
    return { status: 200, body: viewOf(made) };
  }
}

function labelOf({ body }: Kept, key: string): string | undefined {
  return body.labels?.find((label) => label["key"] === key)?.value;
}

/** Each look is a while later. */
function viewOf(kept: Kept): object {
  const { record, body, statuses } = kept;
  const status = statuses.length > 1 ? statuses.shift() : statuses[0];
  const [repository = "", version = ""] = body.bento.split(":");
  const config = {
    access_authorization: body.access_authorization ?? false,
    envs: body.envs ?? [],
    labels: [],
    secrets: [],
    services: body.services,
  };
  const bento = cloudRecord(version, "bento", {
    description: "",
    version,
    image_build_status: "success",
    upload_status: "success",
    upload_finished_reason: "",
    presigned_upload_url: "",
    presigned_download_url: "",
    manifest: null,
    build_at: cloudTime(),
    repository: cloudRecord(repository, "bento_repository", { description: "", latest_bento: null }),
  });
  const target = cloudRecord("main", "deployment_revision", { creator: user, config, bento });
  const latest_revision = cloudRecord("1", "deployment_revision", {
    creator: user,
    status: "active",
    targets: [target],
  });
  return { ...record, labels: body.labels ?? [], status, latest_revision };
}

async function serve(body: z.infer<typeof requestSchema>): Promise<Server> {
  const predictions = { threads: 1, under_way: 0, waiting: 0, hung: 0, oldest_seconds: 0 };
  const deployment_id = body.envs?.find(({ name }) => name === "MODEL_DEPLOYER_DEPLOYMENT_ID")?.value ?? null;
  const answers: Record<string, object> = {
    "/health": { bento_tag: body.bento, deployment_id, ready: true, predictions },
    "/sample": { sample: { inputs: [[1]] }, source: "input_example" },
    "/invocations": { predictions: [1] },
  };
  const server = createServer((request, response) => {
    const answer = answers[request.url ?? ""];
    request.resume();
    response.writeHead(answer === undefined ? 404 : 200).end(JSON.stringify(answer ?? {}));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

async function end(server: Server): Promise<void> {
  if (!server.listening) return;
  server.closeAllConnections();
  server.close();
  await once(server, "close");
}
