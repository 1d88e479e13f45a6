import { request } from "undici";
import { z } from "zod";
import { ServiceRefusedError } from "../../agents/model_deployer/errors.ts";
import { parsedJson } from "../../platform/parsed_json.ts";
import { digestOfText, type Layer } from "./layer.ts";
import { errorFromRegistry, noRegistry, REGISTRY, type RegistryAnswer } from "./registry_errors.ts";
import { type RegistryCall, RegistryTransport, type Repository } from "./registry_transport.ts";

export interface StoredManifest {
  digest: string;
  manifest: Manifest;
}

const descriptorSchema = z.object({
  mediaType: z.string(),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  size: z.int().min(0),
});
export type Descriptor = z.infer<typeof descriptorSchema>;

const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  config: descriptorSchema.optional(),
  layers: z.array(descriptorSchema).optional(),
  manifests: z
    .array(
      descriptorSchema.extend({
        platform: z.object({ os: z.string(), architecture: z.string() }).optional(),
      }),
    )
    .optional(),
});
export type Manifest = z.infer<typeof manifestSchema>;

const accepted = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
].join(", ");

const UPLOAD_TIMEOUT_MS = 600_000;

/**
 * Speaks the distribution API. Every call may come twice without harm: a blob and a manifest are named by their digest.
 * Each raises ServiceUnavailableError, or ServiceRefusedError with what the registry said.
 */
export class RegistryClient {
  readonly #transport: RegistryTransport;

  /** @param credentialsOf `user:password` in base64 for a host, null to ask as nobody */
  constructor(credentialsOf: (host: string) => Promise<string | null>) {
    this.#transport = new RegistryTransport(credentialsOf);
  }

  /** Null where the repository has none of this tag or digest. */
  async manifest(
    repository: Repository,
    reference: string,
    signal: AbortSignal,
  ): Promise<StoredManifest | null> {
    const url = `${originOf(repository)}/manifests/${reference}`;
    const answer = await this.#transport.call(
      repository,
      { method: "GET", url, headers: { accept: accepted } },
      signal,
    );
    if (answer.status === 404) return null;
    const what = `GET ${url}`;
    if (answer.status !== 200) throw errorFromRegistry(what, answer);
    const parsed = manifestSchema.safeParse(parsedJson(answer.body));
    if (!parsed.success) throw noRegistry(what, answer);
    const digest = digestOfText(answer.body);
    const said = answer.headers["docker-content-digest"];
    const wanted = reference.startsWith("sha256:") ? reference : said;
    if (wanted !== undefined && wanted !== digest) {
      throw new ServiceRefusedError(
        REGISTRY,
        `${what} gave content of the digest ${digest}, not ${String(wanted)}: a proxy or the registry changes what it hands out`,
      );
    }
    return { digest, manifest: parsed.data };
  }

  /** A small blob as text, such as an image's configuration. */
  async text(repository: Repository, digest: string, signal: AbortSignal): Promise<string> {
    const url = `${originOf(repository)}/blobs/${digest}`;
    const answer = await this.#transport.call(repository, { method: "GET", url }, signal);
    if (answer.status !== 200) throw errorFromRegistry(`GET ${url}`, answer);
    if (digestOfText(answer.body) === digest) return answer.body;
    throw noRegistry(`GET ${url}`, answer);
  }

  async hasBlob(repository: Repository, digest: string, signal: AbortSignal): Promise<boolean> {
    const url = `${originOf(repository)}/blobs/${digest}`;
    const answer = await this.#transport.call(repository, { method: "HEAD", url }, signal);
    if (answer.status === 404) return false;
    if (answer.status === 200) return true;
    throw errorFromRegistry(`HEAD ${url}`, answer);
  }

  /** Uploads the blob unless it is there. */
  async push(repository: Repository, blob: Layer | { digest: string; text: string }, signal: AbortSignal) {
    if (await this.hasBlob(repository, blob.digest, signal)) return;
    const location = await this.#begin(repository, "", signal);
    if (location === null) return;
    location.searchParams.set("digest", blob.digest);
    const body = "text" in blob ? { text: blob.text } : { file: blob.path, size: blob.size };
    const headers = { "content-type": "application/octet-stream" };
    const call: RegistryCall = { method: "PUT", url: location.href, headers, body };
    const answer = await this.#transport.call(repository, call, signal, UPLOAD_TIMEOUT_MS);
    if (answer.status !== 201) throw refusal(`PUT of ${blob.digest} to ${repository.host}`, answer);
  }

  /** True where the blob of another repository of the same registry is there now without being sent. */
  async mount(
    repository: Repository,
    digest: string,
    from: Repository,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (await this.hasBlob(repository, digest, signal)) return true;
    if (from.host !== repository.host) return false;
    const query = new URLSearchParams({ mount: digest, from: from.path }).toString();
    return (await this.#begin(repository, `?${query}`, signal)) === null;
  }

  /** The body of a blob as it comes, for copying it to a file. */
  async download(
    repository: Repository,
    digest: string,
    signal: AbortSignal,
    consume: (body: AsyncIterable<Uint8Array>) => Promise<void>,
  ): Promise<void> {
    const url = `${originOf(repository)}/blobs/${digest}`;
    await this.hasBlob(repository, digest, signal);
    const authorization = this.#transport.authorizationOf(repository);
    const headers = authorization === undefined ? {} : { authorization };
    const limit = AbortSignal.any([signal, AbortSignal.timeout(UPLOAD_TIMEOUT_MS)]);
    let answer = await request(url, { headers, signal: limit });
    const { location } = answer.headers;
    if (answer.statusCode >= 300 && answer.statusCode < 400 && typeof location === "string") {
      await answer.body.dump();
      answer = await request(new URL(location, url), { signal: limit });
    }
    if (answer.statusCode === 200) return consume(answer.body);
    const body = await answer.body.text();
    throw errorFromRegistry(`GET ${url}`, { status: answer.statusCode, headers: {}, body });
  }

  /** @returns the manifest's digest */
  async putManifest(
    repository: Repository,
    tag: string,
    manifest: { text: string; mediaType: string },
    signal: AbortSignal,
  ): Promise<string> {
    const url = `${originOf(repository)}/manifests/${tag}`;
    const headers = { "content-type": manifest.mediaType };
    const call: RegistryCall = { method: "PUT", url, headers, body: { text: manifest.text } };
    const answer = await this.#transport.call(repository, call, signal);
    if (answer.status !== 201) throw refusal(`PUT ${url}`, answer);
    return digestOfText(manifest.text);
  }

  /** Where the upload goes to; null where nothing has to be uploaded. */
  async #begin(repository: Repository, query: string, signal: AbortSignal): Promise<URL | null> {
    const url = `${originOf(repository)}/blobs/uploads/${query}`;
    const answer = await this.#transport.call(
      repository,
      { method: "POST", url, body: { text: "" } },
      signal,
    );
    if (answer.status === 201) return null;
    const { location } = answer.headers;
    if (answer.status === 202 && typeof location === "string") return new URL(location, url);
    throw refusal(`POST ${url}`, answer);
  }
}

/** A registry on this machine speaks plain HTTP, any other one TLS. */
function originOf({ host, path }: Repository): string {
  const isHere = /^(localhost|127\.0\.0\.1)(:\d+)?$/.test(host);
  return `${isHere ? "http" : "https"}://${host}/v2/${path}`;
}

function refusal(what: string, answer: RegistryAnswer): Error {
  return answer.status < 400 ? noRegistry(what, answer) : errorFromRegistry(what, answer);
}
