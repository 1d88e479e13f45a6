import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ClusterClient } from "../../../src/mlops/kubernetes/api/cluster_client.ts";
import { NODE_ADDRESS } from "../control_plane.ts";
import { connectPod, disconnectPod } from "./pod_network.ts";
import type { Container, NodePod } from "./pod_schema.ts";
import { RunningContainer } from "./running_container.ts";
import type { UnpackedImages } from "./unpacked_images.ts";
import { emptyFolder, handOutFiles } from "./volumes.ts";

interface NodeParts {
  api: ClusterClient;
  images: UnpackedImages;
  /** On another file system than the machine's own root, which every container has below its layers. */
  folder: string;
}

const mount = (...args: string[]) => execFileSync("mount", args, { stdio: ["ignore", "ignore", "pipe"] });

/** The processes of one pod, in a network namespace of their own and with read-only roots made of their images' layers. */
export class RunningPod {
  readonly pod: NodePod;
  readonly address: string;
  readonly startedAt = new Date().toISOString();
  readonly containers: RunningContainer[] = [];
  isEnding = false;
  /** Why a container can't be made. */
  problem: { container: string; reason: string; message: string } | null = null;
  readonly #parts: NodeParts;
  readonly #folder: string;
  readonly #mounts: string[] = [];
  #told: string;

  constructor(pod: NodePod, number: number, parts: NodeParts) {
    this.pod = pod;
    this.#parts = parts;
    this.#folder = join(parts.folder, "pods", pod.metadata.uid);
    this.#told = pod.metadata.resourceVersion;
    this.address = connectPod(pod.metadata.uid, number);
  }

  async start(signal: AbortSignal): Promise<void> {
    const { volumes, containers, securityContext } = this.pod.spec;
    for (const { name, configMap } of volumes) {
      const path = join(this.#folder, "volumes", name);
      if (configMap === undefined) emptyFolder(path, securityContext.runAsUser);
      else mkdirSync(path, { recursive: true });
    }
    await this.#handOut(signal);
    for (const container of containers) {
      try {
        this.containers.push(await this.#startContainer(container, signal));
      } catch (error) {
        this.problem = { container: container.name, reason: "ImagePullBackOff", message: String(error) };
        return;
      }
    }
  }

  /** A node looks at a pod that has changed, and then brings its files up to date. */
  async changed({ metadata }: NodePod, signal: AbortSignal): Promise<void> {
    const told = JSON.stringify(metadata.annotations);
    if (told === this.#told || this.isEnding) return;
    this.#told = told;
    await this.#handOut(signal);
  }

  async end(): Promise<void> {
    this.isEnding = true;
    const grace = this.pod.spec.terminationGracePeriodSeconds;
    await Promise.all(this.containers.map((container) => container.end(grace)));
    for (const path of this.#mounts.reverse()) execFileSync("umount", ["-l", path]);
    disconnectPod(this.pod.metadata.uid);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #handOut(signal: AbortSignal): Promise<void> {
    const { namespace } = this.pod.metadata;
    for (const { name, configMap } of this.pod.spec.volumes) {
      if (configMap === undefined) continue;
      const path = join(this.#folder, "volumes", name);
      await handOutFiles(this.#parts.api, path, { namespace, name: configMap.name }, signal);
    }
  }

  async #startContainer(container: Container, signal: AbortSignal): Promise<RunningContainer> {
    const image = await this.#parts.images.pull(container.image, signal);
    const root = join(this.#folder, container.name, "root");
    const points = join(this.#folder, container.name, "points");
    mkdirSync(root, { recursive: true });
    for (const { mountPath } of container.volumeMounts)
      mkdirSync(join(points, mountPath), { recursive: true });
    mkdirSync(points, { recursive: true });
    const lower = [...image.layers, points, "/"].join(":");
    this.#mount(["-t", "overlay", "overlay", "-o", `lowerdir=${lower}`], root);
    this.#mount(["-t", "proc", "proc"], join(root, "proc"));
    this.#mount(["--rbind", "/dev"], join(root, "dev"));
    for (const { name, mountPath } of container.volumeMounts) {
      this.#mount(["--bind", join(this.#folder, "volumes", name)], join(root, mountPath));
    }
    const { uid } = this.pod.metadata;
    const fields: Record<string, string> = {
      "metadata.uid": uid,
      "status.podIP": this.address,
      "status.hostIP": NODE_ADDRESS,
    };
    const given = container.env.map(
      ({ name, value, valueFrom }) =>
        [name, valueFrom === undefined ? value : (fields[valueFrom.fieldRef.fieldPath] ?? "")] as const,
    );
    const own = image.environment.map((line) => {
      const [name = "", value = ""] = line.split(/=(.*)/s);
      return [name, value] as const;
    });
    const environment: Record<string, string> = Object.fromEntries([...own, ...given]);
    const user = this.pod.spec.securityContext.runAsUser;
    return new RunningContainer(container, {
      namespace: uid,
      root,
      user,
      address: this.address,
      environment,
    });
  }

  #mount(args: string[], path: string): void {
    mount(...args, path);
    this.#mounts.push(path);
  }
}
