import { z } from "zod";
import { EndpointCreationError } from "../../agents/model_deployer/errors.ts";
import type { SeenServer } from "./cloud_objects.ts";

export interface Address {
  host: string;
  port: number;
  tls?: true;
}

/** @throws EndpointCreationError where the platform has given it none */
export function addressOf({ seen }: SeenServer): Address {
  const parsed = z.url().safeParse(seen.urls[0]);
  if (!parsed.success) throw new EndpointCreationError(`BentoCloud gave ${seen.name} no address`);
  const { protocol, hostname, port } = new URL(parsed.data);
  const isTls = protocol === "https:";
  return { host: hostname, port: Number(port) || (isTls ? 443 : 80), ...(isTls && { tls: true }) };
}
