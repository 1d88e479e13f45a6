import { access } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";

export interface Binaries {
  etcd: string;
  apiServer: string;
  controllerManager: string;
}

const VERSION = "1.20.2";

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

/** Those of the cache, made there at the first time; or the reason why this machine can't have any. */
export async function findBinaries(cache: string): Promise<Binaries | { missing: string }> {
  const folder = join(cache, "kubernetes", VERSION);
  const binaries = {
    etcd: join(folder, "etcd"),
    apiServer: join(folder, "kube-apiserver"),
    controllerManager: join(folder, "kube-controller-manager"),
  };
  const present = await Promise.all(Object.values(binaries).map(isThere));
  if (present.every(Boolean)) return binaries;
  if (!(await isThere("/usr/bin/apt-get"))) {
    return { missing: "this machine has no apt-get, by which an API server could be built" };
  }
  process.stderr.write(`building Kubernetes ${VERSION} in ${folder}, which takes some 20 minutes, once\n`);
  const script = fileURLToPath(new URL("build_api_server.sh", import.meta.url));
  await execa("bash", [script, folder], { stdio: ["ignore", "ignore", "inherit"] });
  return binaries;
}
