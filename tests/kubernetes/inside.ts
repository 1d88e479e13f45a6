import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { neededRights } from "../../src/mlops/kubernetes/installation/cluster_rights.ts";
import { ensureToolsEnvironment } from "../../src/platform/python/python_environment.ts";
import { StandInRegistry } from "../support/kubernetes/stand_in_registry.ts";
import { type ControlPlane, kubeconfigOf, startControlPlane } from "./control_plane.ts";
import { startWayOutInside } from "./egress.ts";
import { pushMachineImages } from "./images_of_machine.ts";
import { makePodNetwork } from "./node/pod_network.ts";
import { ProcessNode } from "./node/process_node.ts";

/** The first process of the namespaces that `main.ts` makes: a whole cluster around one command. */
const NAMESPACE = "models";
const cache = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
const folder = process.env["KUBERNETES_TEST_FOLDER"] ?? "";
const binaries = z
  .object({ etcd: z.string(), apiServer: z.string(), controllerManager: z.string() })
  .parse(JSON.parse(process.env["KUBERNETES_TEST_BINARIES"] ?? "{}"));
const signal = new AbortController().signal;

function makeRoom(): string {
  const node = join(folder, "node");
  for (const path of ["/run/netns", node]) {
    mkdirSync(path, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", "mode=755", "node", path]);
  }
  const hosts = join(folder, "hosts");
  copyFileSync("/etc/hosts", hosts);
  execFileSync("mount", ["--bind", hosts, "/etc/hosts"]);
  return node;
}

/** The namespace, and what `manifests` grants in it to the deployer, who has no other right. */
async function install({ admin }: ControlPlane): Promise<void> {
  const make = async (path: string, body: object) => {
    await admin.call({ method: "POST", path, body }, signal, [409]);
  };
  await make("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
  const group = "rbac.authorization.k8s.io";
  const own = `/apis/${group}/v1/namespaces/${NAMESPACE}`;
  const metadata = { name: "model-deployer", namespace: NAMESPACE };
  const rules = neededRights.map(({ group: of, resource, verbs }) => ({
    apiGroups: [of],
    resources: [resource],
    verbs,
  }));
  await make(`${own}/roles`, { apiVersion: `${group}/v1`, kind: "Role", metadata, rules });
  await make(`${own}/rolebindings`, {
    apiVersion: `${group}/v1`,
    kind: "RoleBinding",
    metadata,
    roleRef: { apiGroup: group, kind: "Role", name: metadata.name },
    subjects: [{ apiGroup: group, kind: "User", name: "deployer" }],
  });
}

async function main(): Promise<number> {
  const room = makeRoom();
  makePodNetwork();
  const plane = await startControlPlane(binaries, folder);
  await install(plane);
  const { envoy: envoyPath } = await ensureToolsEnvironment({ cacheDirectory: cache });
  const registry = await StandInRegistry.start();
  const images = pushMachineImages(registry, room, envoyPath);
  void new ProcessNode(plane.admin, NAMESPACE, room).run(signal);
  const kubeconfig = join(folder, "deployer.kubeconfig");
  const groups = fileURLToPath(new URL("newer_groups.ts", import.meta.url));
  spawn(process.execPath, [groups, plane.server, plane.certificateAuthority], { stdio: "inherit" });
  const server = "http://127.0.0.1:8001";
  writeFileSync(kubeconfig, kubeconfigOf(server, null, plane.deployerToken));
  const proxy = await startWayOutInside(join(folder, "way-out.sock"));
  const [program = "", ...args] = process.argv.slice(2);
  const env = {
    ...process.env,
    HTTPS_PROXY: proxy,
    HTTP_PROXY: proxy,
    NO_PROXY: "127.0.0.1,localhost,.svc",
    KUBECONFIG: kubeconfig,
    MODEL_DEPLOYER_ENGINE: "kubernetes",
    MODEL_DEPLOYER_KUBERNETES_NAMESPACE: NAMESPACE,
    MODEL_DEPLOYER_IMAGE_REPOSITORY: `${registry.host}/team/models`,
    MODEL_DEPLOYER_IMAGE_BASE: images.base,
    MODEL_DEPLOYER_ROUTER_IMAGE: images.envoy,
    MODEL_DEPLOYER_START_SECONDS: "600",
  };
  const child = spawn(program, args, { stdio: "inherit", env });
  await once(child, "exit");
  return child.exitCode ?? 1;
}

// As the first process of its namespace it takes all others with it.
process.exit(await main());
