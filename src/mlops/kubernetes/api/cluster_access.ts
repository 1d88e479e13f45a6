import { readFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { ConfigurationError } from "../../../agents/model_deployer/errors.ts";
import { ExecCredentials, execSchema } from "./exec_credentials.ts";
import { isLoopback } from "../../../platform/loopback.ts";

/** How the API server is reached, and who asks. */
export interface ClusterAccess {
  /** `http(s)://host[:port][/prefix]`. */
  server: string;
  certificateAuthority: string | null;
  /** The name in the server's certificate where it is not the host of `server`. */
  serverName: string | null;
  clientCertificate: { certificate: string; key: string } | null;
  /** Of the context; null where it names none. */
  namespace: string | null;
  /**
   * Null where a client certificate alone says who asks. `renewed` asks for another token than the last one, where
   * there is a way to get one. @throws ServiceUnavailableError | ServiceRefusedError
   */
  bearerToken(options: { renewed: boolean; signal: AbortSignal }): Promise<string | null>;
}

export interface AccessOptions {
  /** Path of a kubeconfig; null for the service account of the pod that this process runs in. */
  kubeconfig: string | null;
  /** Another context than the current one. */
  context: string | null;
  /** Where a pod finds its service account. */
  serviceAccountFolder?: string;
  environment?: Record<string, string | undefined>;
}

const optional = z.string().optional();
const clusterSchema = z.object({
  server: z.url(),
  "certificate-authority": optional,
  "certificate-authority-data": optional,
  "tls-server-name": optional,
  "insecure-skip-tls-verify": z.boolean().optional(),
  "proxy-url": optional,
});
const userSchema = z.object({
  token: optional,
  tokenFile: optional,
  "client-certificate": optional,
  "client-certificate-data": optional,
  "client-key": optional,
  "client-key-data": optional,
  username: optional,
  "auth-provider": z.unknown().optional(),
  exec: execSchema.nullish(),
});
const kubeconfigSchema = z.object({
  "current-context": z.string().default(""),
  clusters: z.array(z.object({ name: z.string(), cluster: clusterSchema })).default([]),
  users: z.array(z.object({ name: z.string(), user: userSchema.nullish() })).default([]),
  contexts: z
    .array(
      z.object({
        name: z.string(),
        context: z.object({ cluster: z.string(), user: optional, namespace: optional }),
      }),
    )
    .default([]),
});
type Cluster = z.infer<typeof clusterSchema>;
type User = z.infer<typeof userSchema>;

/** @throws ConfigurationError that names the file, the entry and the way out */
export async function readClusterAccess(options: AccessOptions): Promise<ClusterAccess> {
  return options.kubeconfig === null
    ? serviceAccountAccess(options)
    : kubeconfigAccess(options.kubeconfig, options.context);
}

async function serviceAccountAccess(options: AccessOptions): Promise<ClusterAccess> {
  const { environment = process.env, serviceAccountFolder } = options;
  const folder = serviceAccountFolder ?? "/var/run/secrets/kubernetes.io/serviceaccount";
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = environment;
  if (host === undefined || host === "") {
    throw new ConfigurationError(
      "MODEL_DEPLOYER_ENGINE=kubernetes finds no cluster: this process runs in no pod. Set KUBECONFIG to a kubeconfig file.",
    );
  }
  const read = (name: string) => readText(join(folder, name), "the pod's service account");
  const tokenFile = join(folder, "token");
  await read("token");
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    certificateAuthority: await read("ca.crt"),
    serverName: null,
    clientCertificate: null,
    namespace: (await read("namespace")).trim(),
    bearerToken: () => tokenOf(tokenFile),
  };
}

async function kubeconfigAccess(path: string, named: string | null): Promise<ClusterAccess> {
  const config = await readKubeconfig(path);
  const contextName = named ?? config["current-context"];
  const context = entryOf(config.contexts, contextName, "context", path).context;
  const { cluster } = entryOf(config.clusters, context.cluster, "cluster", path);
  const user =
    context.user === undefined ? {} : (entryOf(config.users, context.user, "user", path).user ?? {});
  refuseUnsafe(path, cluster, user);
  const base = dirname(path);
  const authority = await materialOf(base, cluster, "certificate-authority");
  const [certificate, key] = await Promise.all([
    materialOf(base, user, "client-certificate"),
    materialOf(base, user, "client-key"),
  ]);
  return {
    server: cluster.server.replace(/\/+$/, ""),
    certificateAuthority: authority,
    serverName: cluster["tls-server-name"] ?? null,
    clientCertificate: certificate === null || key === null ? null : { certificate, key },
    namespace: context.namespace ?? null,
    bearerToken: tokenSource(base, user),
  };
}

async function readKubeconfig(path: string): Promise<z.infer<typeof kubeconfigSchema>> {
  if (path.includes(":")) {
    throw new ConfigurationError(
      `KUBECONFIG names several files: ${path}. Name one; \`kubectl config view --flatten\` makes one of them.`,
    );
  }
  const text = await readText(path, "KUBECONFIG");
  const parsed = kubeconfigSchema.safeParse(parsedYaml(text));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new ConfigurationError(`KUBECONFIG: ${path} is no kubeconfig: ${problems.join("; ")}.`);
}

function parsedYaml(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

function entryOf<T extends { name: string }>(entries: T[], name: string, kind: string, path: string): T {
  const found = entries.find((entry) => entry.name === name);
  if (found !== undefined) return found;
  const names = entries.map((entry) => entry.name).join(", ");
  throw new ConfigurationError(
    `${path} has no ${kind} ${JSON.stringify(name)}, only: ${names === "" ? "none" : names}. Set MODEL_DEPLOYER_KUBERNETES_CONTEXT to one of its contexts.`,
  );
}

function refuseUnsafe(path: string, cluster: Cluster, user: User): void {
  const { protocol, hostname } = new URL(cluster.server);
  const isHere = isLoopback(hostname);
  const problem =
    cluster["insecure-skip-tls-verify"] === true
      ? "skips the check of the server's certificate, so a token could go to anybody: add certificate-authority instead"
      : protocol !== "https:" && !(protocol === "http:" && isHere)
        ? `reaches ${cluster.server} without TLS: use https, or an address of this machine such as that of \`kubectl proxy\``
        : cluster["proxy-url"] !== undefined
          ? "has a proxy-url, which is not supported: reach the server directly or by `kubectl proxy`"
          : user["auth-provider"] !== undefined
            ? "has an auth-provider, which Kubernetes itself gave up: use an exec plugin or a token"
            : user.username !== undefined
              ? "has a username, which API servers take no more: use a token, a certificate or an exec plugin"
              : null;
  if (problem !== null) throw new ConfigurationError(`KUBECONFIG: ${path} ${problem}.`);
}

function tokenSource(base: string, user: User): ClusterAccess["bearerToken"] {
  const { token, tokenFile, exec } = user;
  if (exec !== undefined && exec !== null) {
    const credentials = new ExecCredentials(exec, base);
    return (options) => credentials.token(options);
  }
  if (tokenFile !== undefined) return () => tokenOf(within(base, tokenFile));
  return () => Promise.resolve(token ?? null);
}

/** Read anew each time, since a cluster replaces it about once an hour. */
async function tokenOf(path: string): Promise<string> {
  return (await readText(path, "the token")).trim();
}

async function materialOf(
  base: string,
  entry: Record<string, unknown>,
  name: "certificate-authority" | "client-certificate" | "client-key",
): Promise<string | null> {
  const data = entry[`${name}-data`];
  if (typeof data === "string") return Buffer.from(data, "base64").toString("utf8");
  const path = entry[name];
  return typeof path === "string" ? readText(within(base, path), name) : null;
}

const within = (base: string, path: string) => (isAbsolute(path) ? path : join(base, path));

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new ConfigurationError(`${what}: ${path} cannot be read.`, { cause });
  }
}
