import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { stringify } from "yaml";
import { ConfigurationError } from "../../../../src/agents/model_deployer/errors.ts";
import { readClusterAccess } from "../../../../src/mlops/kubernetes/api/cluster_access.ts";
import { ExecCredentials } from "../../../../src/mlops/kubernetes/api/exec_credentials.ts";

const signal = new AbortController().signal;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kubeconfig-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function kubeconfig(user: object, cluster: object = {}): Promise<string> {
  const path = join(folder, "config");
  const config = {
    "current-context": "here",
    clusters: [{ name: "one", cluster: { server: "https://cluster.example.org:6443/", ...cluster } }],
    users: [{ name: "me", user }],
    contexts: [{ name: "here", context: { cluster: "one", user: "me", namespace: "models" } }],
  };
  await writeFile(path, stringify(config));
  return path;
}

const read = (path: string | null, context: string | null = null) =>
  readClusterAccess({ kubeconfig: path, context, serviceAccountFolder: folder, environment: {} });

async function plugin(script: string): Promise<string> {
  const path = join(folder, "plugin.sh");
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o700);
  return path;
}

test("a kubeconfig's context says where the server is and who asks", async () => {
  const data = (text: string) => Buffer.from(text).toString("base64");
  const path = await kubeconfig(
    { token: "t1", "client-certificate-data": data("cert"), "client-key-data": data("key") },
    { "certificate-authority-data": data("authority") },
  );
  const access = await read(path);
  expect(access).toMatchObject({
    server: "https://cluster.example.org:6443",
    certificateAuthority: "authority",
    clientCertificate: { certificate: "cert", key: "key" },
    namespace: "models",
  });
  expect(await access.bearerToken({ renewed: false, signal })).toBe("t1");
});

test("a token file is read anew, beside the kubeconfig", async () => {
  await writeFile(join(folder, "token"), "first\n");
  const access = await read(await kubeconfig({ tokenFile: "token" }));
  expect(await access.bearerToken({ renewed: false, signal })).toBe("first");
  await writeFile(join(folder, "token"), "second\n");
  expect(await access.bearerToken({ renewed: false, signal })).toBe("second");
});

test("a pod's service account is found where Kubernetes puts it", async () => {
  for (const [name, text] of [
    ["token", "t"],
    ["ca.crt", "authority"],
    ["namespace", "models\n"],
  ] as const) {
    await writeFile(join(folder, name), text);
  }
  const environment = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" };
  const access = await readClusterAccess({
    kubeconfig: null,
    context: null,
    serviceAccountFolder: folder,
    environment,
  });
  expect(access).toMatchObject({ server: "https://[fd00::1]:6443", namespace: "models" });
  await expect(read(null)).rejects.toThrow(/runs in no pod\. Set KUBECONFIG/);
});

test.each([
  [{}, { "insecure-skip-tls-verify": true }, /skips the check of the server's certificate/],
  [{}, { server: "http://cluster.example.org" }, /without TLS/],
  [{}, { "proxy-url": "http://proxy:3128" }, /proxy-url/],
  [{ "auth-provider": { name: "gcp" } }, {}, /auth-provider/],
  [{ username: "admin", password: "x" }, {}, /username/],
  [{}, { server: "nowhere" }, /clusters\.0\.cluster\.server/],
  [{}, { "certificate-authority": "missing.crt" }, /missing\.crt cannot be read/],
])("%j of %j is refused with the way out", async (user, cluster, words) => {
  const attempt = read(await kubeconfig(user, cluster));
  await expect(attempt).rejects.toThrow(ConfigurationError);
  await expect(attempt).rejects.toThrow(words);
});

test("a context that is not there is refused with those that are", async () => {
  const path = await kubeconfig({ token: "t" });
  await expect(read(path, "elsewhere")).rejects.toThrow(/no context "elsewhere", only: here/);
  await expect(read(`${path}:${path}`)).rejects.toThrow(/several files/);
  await expect(read(join(folder, "none"))).rejects.toThrow(/cannot be read/);
  await writeFile(path, "\tno: yaml: at all");
  await expect(read(path)).rejects.toThrow(/is no kubeconfig/);
});

const credential = (token: string, expires: string) =>
  `echo '{"kind":"ExecCredential","status":{"token":"${token}","expirationTimestamp":"${expires}"}}'`;

test("an exec plugin is asked once until its token expires or is refused", async () => {
  const command = await plugin(
    `echo x >> ${join(folder, "asked")}; ${credential("t", "2999-01-01T00:00:00Z")}`,
  );
  const access = await read(
    await kubeconfig({ exec: { apiVersion: "client.authentication.k8s.io/v1", command } }),
  );
  const ask = (renewed: boolean) => access.bearerToken({ renewed, signal });
  expect(await Promise.all([ask(false), ask(false)])).toEqual(["t", "t"]);
  const asked = async () => (await readAsked()).length;
  expect(await asked()).toBe(1);
  await ask(false);
  expect(await asked()).toBe(1);
  await ask(true);
  expect(await asked()).toBe(2);
});

async function readAsked(): Promise<string[]> {
  return (await readFile(join(folder, "asked"), "utf8")).trim().split("\n");
}

test.each([
  [
    "exec sleep 600",
    /gave no token within 0\.2 s: run it by hand, it may be waiting for a login\. Install it/,
  ],
  ["echo log in first >&2; exit 3", /failed: .*exit code 3/],
  ["echo '{}'", /gave no ExecCredential with a token/],
])("an exec plugin that does `%s` is told by its name", async (script, words) => {
  const command = await plugin(script);
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command, installHint: "Install it." };
  const limitMs = script.includes("sleep") ? 200 : 60_000;
  const attempt = new ExecCredentials(exec, folder, limitMs).token({ renewed: false, signal });
  await expect(attempt).rejects.toThrow(words);
});
