import { execFileSync, spawn } from "node:child_process";
import { openSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { pollUntil } from "../../src/testing/poll.ts";
import { ClusterClient } from "../../src/mlops/kubernetes/api/cluster_client.ts";
import { readClusterAccess } from "../../src/mlops/kubernetes/api/cluster_access.ts";
import type { Binaries } from "./api_server_binaries.ts";

const PORT = 6443;
/** In the network namespace that the whole cluster has for itself. */
export const NODE_ADDRESS = "10.244.0.1";
export const SERVICE_RANGE = "10.96.0.0/16";
const TOKENS = { admin: "admin-token", deployer: "deployer-token" } as const;
const CONTROLLERS = [
  ...["deployment", "replicaset", "endpoint", "garbagecollector", "namespace", "disruption"],
  ...["serviceaccount", "serviceaccount-token", "root-ca-cert-publisher", "horizontalpodautoscaling"],
];

export interface ControlPlane {
  /** Of somebody who may do everything. */
  admin: ClusterClient;
  server: string;
  certificateAuthority: string;
  /** Of the deployer, who may do what it is granted. */
  deployerToken: string;
}

/** Starts etcd, the API server and its controllers; they end with the process namespace that they run in. */
export async function startControlPlane(binaries: Binaries, folder: string): Promise<ControlPlane> {
  const path = (name: string) => join(folder, name);
  const key = path("accounts.key");
  execFileSync("openssl", ["genrsa", "-out", key, "2048"], { stdio: "ignore" });
  execFileSync("openssl", ["rsa", "-in", key, "-pubout", "-out", path("accounts.pub")], { stdio: "ignore" });
  writeFileSync(
    path("tokens.csv"),
    `${TOKENS.admin},admin,1,"system:masters"\n${TOKENS.deployer},deployer,2\n`,
  );
  const begin = (program: string, args: string[], name: string) => {
    const log = openSync(path(`${name}.log`), "w");
    spawn(program, args, { stdio: ["ignore", log, log] });
  };
  const stores = "http://127.0.0.1:2379";
  begin(binaries.etcd, etcdArguments(path("etcd"), stores), "etcd");
  begin(binaries.apiServer, apiServerArguments(path, stores), "api_server");
  const server = `https://127.0.0.1:${PORT}`;
  const kubeconfig = path("admin.kubeconfig");
  const certificateAuthority = path("certificates/apiserver.crt");
  writeFileSync(kubeconfig, kubeconfigOf(server, certificateAuthority, TOKENS.admin));
  const admin = await pollUntil(() => readyClient(kubeconfig), {
    deadlineMs: 600_000,
    what: "an API server that is ready",
    intervalMs: 300,
  });
  begin(binaries.controllerManager, controllerArguments(path, kubeconfig), "controllers");
  return { admin, server, certificateAuthority, deployerToken: TOKENS.deployer };
}

async function readyClient(kubeconfig: string): Promise<ClusterClient | null> {
  try {
    const client = new ClusterClient(await readClusterAccess({ kubeconfig, context: null }));
    const answer = await client.ask({ method: "GET", path: "/readyz" }, AbortSignal.timeout(5_000));
    return answer.status === 200 ? client : null;
  } catch {
    // Neither its certificate nor its port is there yet.
    return null;
  }
}

export function kubeconfigOf(server: string, authority: string | null, token: string): string {
  const cluster = authority === null ? { server } : { server, "certificate-authority": authority };
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    clusters: [{ name: "test", cluster }],
    users: [{ name: "test", user: { token } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
  });
}

function etcdArguments(folder: string, clients: string): string[] {
  const peers = "http://127.0.0.1:2380";
  return [
    ...["--data-dir", folder, "--unsafe-no-fsync", "--log-level", "error"],
    ...["--listen-client-urls", clients, "--advertise-client-urls", clients],
    ...["--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers],
    ...["--initial-cluster", `default=${peers}`],
  ];
}

function apiServerArguments(path: (name: string) => string, stores: string): string[] {
  return [
    ...["--etcd-servers", stores, "--bind-address", "127.0.0.1", "--advertise-address", NODE_ADDRESS],
    ...["--secure-port", String(PORT), "--insecure-port", "0", "--cert-dir", path("certificates")],
    ...["--service-cluster-ip-range", SERVICE_RANGE, "--authorization-mode", "RBAC"],
    ...["--service-account-issuer", "https://kubernetes.default.svc"],
    ...["--service-account-key-file", path("accounts.pub")],
    ...["--service-account-signing-key-file", path("accounts.key")],
    ...["--token-auth-file", path("tokens.csv")],
  ];
}

function controllerArguments(path: (name: string) => string, kubeconfig: string): string[] {
  return [
    ...["--kubeconfig", kubeconfig, "--authentication-kubeconfig", kubeconfig],
    ...["--authorization-kubeconfig", kubeconfig, "--bind-address", "127.0.0.1", "--secure-port", "10257"],
    ...["--leader-elect=false", "--service-account-private-key-file", path("accounts.key")],
    ...["--root-ca-file", path("certificates/apiserver.crt"), `--controllers=${CONTROLLERS.join(",")}`],
    "--horizontal-pod-autoscaler-sync-period=5s",
  ];
}
