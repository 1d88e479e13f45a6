import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { ClusterClient } from "../../../src/mlops/kubernetes/api/cluster_client.ts";

const configMapSchema = z.object({ data: z.record(z.string(), z.string()).default({}) });

/** An empty folder that the pod's user may write. */
export function emptyFolder(path: string, user: number): void {
  mkdirSync(path, { recursive: true });
  chownSync(path, user, user);
  chmodSync(path, 0o770);
}

/**
 * Hands a ConfigMap's files to a pod as a node does: a folder with all of them takes the place of the former one by the
 * rename of one link, and each file's name is a link into it.
 */
export async function handOutFiles(
  api: ClusterClient,
  path: string,
  { namespace, name }: { namespace: string; name: string },
  signal: AbortSignal,
): Promise<void> {
  const found = await api.get(`/api/v1/namespaces/${namespace}/configmaps/${name}`, configMapSchema, signal);
  if (found === null) throw new TypeError(`ConfigMap ${name} is not there`);
  const folder = `..${Date.now()}`;
  mkdirSync(join(path, folder), { recursive: true, mode: 0o755 });
  for (const [file, content] of Object.entries(found.data)) {
    writeFileSync(join(path, folder, file), content, { mode: 0o644 });
    if (!existsSync(join(path, file)) && !existsSync(join(path, "..data", file))) {
      symlinkSync(join("..data", file), join(path, file));
    }
  }
  symlinkSync(folder, join(path, "..data_next"));
  renameSync(join(path, "..data_next"), join(path, "..data"));
}
