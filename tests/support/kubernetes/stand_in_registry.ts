import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { z } from "zod";
import { parsedJson } from "../../../src/platform/parsed_json.ts";

interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: Buffer | string;
}

const digestOf = (content: Buffer) => `sha256:${createHash("sha256").update(content).digest("hex")}`;
const namedSchema = z.object({
  config: z.object({ digest: z.string() }),
  layers: z.array(z.object({ digest: z.string() })),
});
const paths = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/;

/** A registry that takes nothing whose digest is another one, and no manifest whose parts it has not. */
export class StandInRegistry {
  /** `repository@digest` and `repository:tag`. */
  readonly manifests = new Map<string, { content: Buffer; type: string }>();
  readonly blobs = new Map<string, Buffer>();
  readonly calls: string[] = [];
  /** Set, every answer is this page. */
  page: string | null = null;
  /** Set, only a token that was given for these credentials is let in. */
  credentials: string | null = null;
  /** Bytes of uploaded blobs. */
  received = 0;
  #failing = 0;
  #answersLeft = Infinity;
  readonly #token = randomUUID();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answersLeft -= 1;
      if (this.#answersLeft < 0) return void response.destroy();
      void this.#answer(request).then(({ status, headers = {}, body = "" }) => {
        response.writeHead(status, headers).end(request.method === "HEAD" ? undefined : body);
      });
    });
  }

  static async start(): Promise<StandInRegistry> {
    const registry = new StandInRegistry();
    registry.#server.listen(0, "127.0.0.1");
    await once(registry.#server, "listening");
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${z.object({ port: z.int() }).parse(this.#server.address()).port}`;
  }

  /** After so many more calls it breaks every connection, until it comes back. */
  leaveAt(calls: number): void {
    this.#answersLeft = calls;
  }

  comeBack(): void {
    this.#answersLeft = Infinity;
  }

  /** The next calls are answered with 503. */
  fail(times: number): void {
    this.#failing = times;
  }

  /** An image with one layer, as somebody else would have pushed it. */
  seed(
    repository: string,
    config: object,
    { tag, layer = Buffer.from("the files of a base") }: { tag?: string; layer?: Buffer } = {},
  ): string {
    const configuration = Buffer.from(JSON.stringify(config));
    for (const blob of [configuration, layer]) this.blobs.set(`${repository}@${digestOf(blob)}`, blob);
    const content = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        config: { mediaType: "c", digest: digestOf(configuration), size: configuration.length },
        layers: [{ mediaType: "l", digest: digestOf(layer), size: layer.length }],
      }),
    );
    this.manifests.set(`${repository}/${digestOf(content)}`, { content, type: "application/json" });
    if (tag !== undefined) this.manifests.set(`${repository}/${tag}`, { content, type: "application/json" });
    return `${this.host}/${repository}@${digestOf(content)}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #answer(request: IncomingMessage): Promise<Reply> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) if (chunk instanceof Uint8Array) chunks.push(chunk);
    const url = new URL(request.url ?? "/", `http://${this.host}`);
    this.calls.push(`${request.method ?? ""} ${url.pathname}`);
    if (this.page !== null) return { status: 200, headers: { "content-type": "text/html" }, body: this.page };
    if (this.#failing > 0) {
      this.#failing -= 1;
      return { status: 503 };
    }
    if (url.pathname === "/token") return this.#giveToken(request);
    if (this.credentials !== null && request.headers.authorization !== `Bearer ${this.#token}`) {
      const challenge = `Bearer realm="http://${this.host}/token",service="stand-in",scope="repository:team/models:pull,push"`;
      return {
        status: 401,
        headers: { "www-authenticate": challenge },
        body: failure("UNAUTHORIZED", "log in"),
      };
    }
    return this.#store(request, url, Buffer.concat(chunks));
  }

  #giveToken({ headers }: IncomingMessage): Reply {
    if (headers.authorization === `Basic ${String(this.credentials)}`) {
      return { status: 200, body: JSON.stringify({ token: this.#token }) };
    }
    return { status: 401, body: failure("UNAUTHORIZED", "wrong password") };
  }

  #store({ method = "", headers }: IncomingMessage, url: URL, content: Buffer): Reply {
    const [, repository = "", kind, name = ""] = paths.exec(url.pathname) ?? [];
    if (kind === "manifests") {
      return method === "PUT"
        ? this.#putManifest(repository, name, content, headers["content-type"] ?? "")
        : this.#manifest(repository, name);
    }
    if (method === "POST") return this.#beginUpload(repository, url);
    if (method === "PUT") {
      this.received += content.length;
      const digest = url.searchParams.get("digest") ?? "";
      if (digest !== digestOf(content)) return { status: 400, body: failure("DIGEST_INVALID", digest) };
      this.blobs.set(`${repository}@${digest}`, content);
      return { status: 201 };
    }
    const body = this.blobs.get(`${repository}@${name}`);
    return body === undefined ? { status: 404, body: failure("BLOB_UNKNOWN", name) } : { status: 200, body };
  }

  #beginUpload(repository: string, url: URL): Reply {
    const mounted = url.searchParams.get("mount") ?? "";
    const source = this.blobs.get(`${url.searchParams.get("from") ?? ""}@${mounted}`);
    if (source === undefined) {
      return {
        status: 202,
        headers: { location: `/v2/${repository}/blobs/uploads/${randomUUID()}?state=x` },
      };
    }
    this.blobs.set(`${repository}@${mounted}`, source);
    return { status: 201 };
  }

  #manifest(repository: string, name: string): Reply {
    const found = this.manifests.get(`${repository}/${name}`);
    if (found === undefined) return { status: 404, body: failure("MANIFEST_UNKNOWN", name) };
    const headers = { "content-type": found.type, "docker-content-digest": digestOf(found.content) };
    return { status: 200, headers, body: found.content };
  }

  #putManifest(repository: string, name: string, content: Buffer, type: string): Reply {
    const parsed = namedSchema.safeParse(parsedJson(content.toString("utf8")));
    if (!parsed.success) return { status: 400, body: failure("MANIFEST_INVALID", name) };
    const parts = [parsed.data.config, ...parsed.data.layers].map(({ digest }) => digest);
    const missing = parts.find((digest) => !this.blobs.has(`${repository}@${digest}`));
    if (missing !== undefined) return { status: 404, body: failure("MANIFEST_BLOB_UNKNOWN", missing) };
    for (const reference of [name, digestOf(content)]) {
      this.manifests.set(`${repository}/${reference}`, { content, type });
    }
    return { status: 201 };
  }
}

function failure(code: string, message: string): string {
  return JSON.stringify({ errors: [{ code, message }] });
}
