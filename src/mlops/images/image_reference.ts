import { ServiceRefusedError } from "../../agents/model_deployer/errors.ts";
import type { Repository } from "./registry_transport.ts";
import { REGISTRY } from "./registry_errors.ts";

/** `registry.example.org/team/models@sha256:...` taken apart. @throws ServiceRefusedError */
export function parseReference(text: string): { repository: Repository; digest: string } {
  const [, host, path, digest] = /^([^/]+)\/(.+)@(sha256:[0-9a-f]{64})$/.exec(text) ?? [];
  if (host !== undefined && path !== undefined && digest !== undefined)
    return { repository: { host, path }, digest };
  throw new ServiceRefusedError(
    REGISTRY,
    `${text} names no image by its digest, as host/path@sha256:... does`,
  );
}

/** `registry.example.org/team/models` taken apart. @throws ServiceRefusedError */
export function parseRepository(text: string): Repository {
  const [, host, path] = /^([^/]+)\/(.+)$/.exec(text) ?? [];
  if (host !== undefined && path !== undefined) return { host, path };
  throw new ServiceRefusedError(REGISTRY, `${text} names no repository, as host/path does`);
}
