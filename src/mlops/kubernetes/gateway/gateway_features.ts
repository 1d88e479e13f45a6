import { z } from "zod";
import { ServiceRefusedError } from "../../../agents/model_deployer/errors.ts";
import type { ClusterClient } from "../api/cluster_client.ts";

export const FEATURES = {
  mirror: "HTTPRouteRequestMirror",
  timeout: "HTTPRouteRequestTimeout",
} as const;

const gatewaySchema = z.object({
  spec: z.object({ gatewayClassName: z.string() }),
  status: z
    .object({
      conditions: z
        .array(z.object({ type: z.string(), status: z.string(), message: z.string().default("") }))
        .default([]),
    })
    .prefault({}),
});
/** Gateway API 1.0 and 1.1 list names, later ones objects with a name. */
const featureSchema = z.union([z.string(), z.object({ name: z.string() }).transform(({ name }) => name)]);
const classSchema = z.object({
  spec: z.object({ controllerName: z.string() }),
  status: z.object({ supportedFeatures: z.array(featureSchema).optional() }).prefault({}),
});

export interface GatewayPlace {
  name: string;
  namespace: string;
}

export interface SeenGateway {
  className: string;
  /** Null where the class is missing or may not be read. */
  controller: string | null;
  /** Null where the class does not say. */
  features: string[] | null;
  /** Why the gateway takes no traffic; null where it does. */
  notProgrammed: string | null;
}

/** Null where there is no such Gateway. @throws ServiceRefusedError where it may not be read */
export async function lookAtGateway(
  client: ClusterClient,
  { name, namespace }: GatewayPlace,
  signal: AbortSignal,
): Promise<SeenGateway | null> {
  const group = "/apis/gateway.networking.k8s.io/v1";
  const gateway = await client.get(
    `${group}/namespaces/${namespace}/gateways/${name}`,
    gatewaySchema,
    signal,
  );
  if (gateway === null) return null;
  const className = gateway.spec.gatewayClassName;
  const seen = await client.get(`${group}/gatewayclasses/${className}`, classSchema, signal);
  const programmed = gateway.status.conditions.find(({ type }) => type === "Programmed");
  return {
    className,
    controller: seen?.spec.controllerName ?? null,
    features: seen?.status.supportedFeatures ?? null,
    notProgrammed:
      programmed?.status === "True" ? null : programmed?.message || "no controller has programmed it",
  };
}

/** The features that a class lists; null where it does not say, or may not be read. */
export async function featuresOf(
  client: ClusterClient,
  place: GatewayPlace,
  signal: AbortSignal,
): Promise<string[] | null> {
  try {
    return (await lookAtGateway(client, place, signal))?.features ?? null;
  } catch (error) {
    if (error instanceof ServiceRefusedError) return null;
    throw error;
  }
}
