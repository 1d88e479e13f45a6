import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Ingress } from "../../../agents/model_deployer/domain/access/ingress_policy.ts";
import { isMissing } from "../../../platform/system_errors.ts";
import type { EnvoyAdmin } from "../admin.ts";
import type { EndpointFolder, Listener } from "../endpoint_folder.ts";
import { type FenceFiles, type FenceFolders, GenerationFence } from "../generation_fence.ts";
import { toCertificateFile } from "./ingress_certificate.ts";
import type { IngressCarrier, IngressFile } from "./ingress_change.ts";
import { toIngressFilterFile } from "./ingress_filters.ts";
import { toListenerFile } from "./ingress_listener.ts";

/** Where the files of an endpoint's policy lie, beside those of its routes. */
export function ingressPaths({ root }: EndpointFolder): Record<IngressFile, string> & FenceFolders {
  return {
    filters: join(root, "ecds.json"),
    listener: join(root, "lds.json"),
    certificate: join(root, "sds.json"),
    claims: join(root, "policy_claims"),
    pending: join(root, "policy_pending"),
  };
}

/** Makes and carries the files of an endpoint's policy on this machine. */
export class IngressFiles {
  readonly #folder: EndpointFolder;
  readonly #listener: Listener;
  readonly #fence: GenerationFence;

  constructor(folder: EndpointFolder, listener: Listener, files: FenceFiles) {
    this.#folder = folder;
    this.#listener = listener;
    this.#fence = new GenerationFence(ingressPaths(folder), files);
  }

  async carrier(): Promise<Pick<IngressCarrier, "fence" | "contents" | "former">> {
    await this.#fence.prepare();
    const paths = ingressPaths(this.#folder);
    return {
      fence: {
        claim: (revision) => this.#fence.claim(revision),
        publish: (revision, name, content) => this.#fence.publish(revision, paths[name], content),
      },
      former: (name) => contentOf(paths[name]),
      contents: (ingress) => this.#contents(ingress),
    };
  }

  async #contents(ingress: Ingress): Promise<Partial<Record<IngressFile, string>>> {
    const { root, routes } = this.#folder;
    const { host, port } = this.#listener;
    const paths = ingressPaths(this.#folder);
    const { tls } = ingress.policy;
    const places = { folder: root, routes_file: routes, host, port };
    return {
      filters: toIngressFilterFile(ingress),
      ...(tls !== null && { certificate: toCertificateFile(tls, await digestOf(tls)) }),
      listener: toListenerFile(ingress, {
        ...places,
        filters_file: paths.filters,
        certificate_file: paths.certificate,
      }),
    };
  }
}

async function digestOf({ certificate, key }: { certificate: string; key: string }): Promise<string> {
  const hash = createHash("sha256");
  for (const path of [certificate, key]) hash.update((await contentOf(path)) ?? "").update("\0");
  return hash.digest("hex").slice(0, 16);
}

async function contentOf(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** How a running Envoy on this machine is told. */
export async function ingressCarrier(
  files: IngressFiles,
  admin: EnvoyAdmin,
  complaint: () => Promise<string>,
): Promise<IngressCarrier> {
  const acknowledgement = { deadlineMs: 10_000, pollMs: 2 };
  return { ...(await files.carrier()), admin, complaint, acknowledgement };
}
