import { z } from "zod";

const objectName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'a name of Kubernetes, such as "shared"')
  .optional();

/** Somebody's gateway, by the Gateway API, as the environment names it. */
export const gatewayVariables = {
  MODEL_DEPLOYER_GATEWAY_NAME: objectName,
  MODEL_DEPLOYER_GATEWAY_NAMESPACE: objectName,
  MODEL_DEPLOYER_GATEWAY_LISTENER: objectName,
  MODEL_DEPLOYER_GATEWAY_PODS_NAMESPACE: objectName,
  MODEL_DEPLOYER_GATEWAY_ADDRESS: z
    .string()
    .regex(
      /^https?:\/\/([-a-z0-9]+\.)*[-a-z0-9]*\{endpoint\}[-a-z0-9]*(\.[-a-z0-9]+)+(:\d{1,5})?$/,
      "where callers find an endpoint, as in https://{endpoint}.models.example.org",
    )
    .optional(),
};
type GatewayValues = z.infer<z.ZodObject<typeof gatewayVariables>> & {
  MODEL_DEPLOYER_ROUTER_IMAGE: string;
  MODEL_DEPLOYER_KUBERNETES_NAMESPACE?: string | undefined;
};

export interface GatewaySettings {
  kind: "gateway";
  name: string;
  namespace: string;
  /** One of its listeners; null for all that take the host. */
  listener: string | null;
  /** Where the pods of its proxies are, which the servers let in. */
  podsNamespace: string;
  /** Where callers find an endpoint, with `{endpoint}` in its host. */
  address: string;
  /** With Envoy: of what answers for endpoints that have no deployment. */
  image: string;
}

const needed = {
  MODEL_DEPLOYER_GATEWAY_NAME: "the name of the Gateway that endpoints are served by",
  MODEL_DEPLOYER_GATEWAY_ADDRESS:
    "where callers find an endpoint, as in https://{endpoint}.models.example.org",
} as const;

/** Adds a problem for each setting that a gateway needs and the environment has not. */
export function checkGateway(values: GatewayValues, context: z.RefinementCtx): void {
  for (const [name, what] of Object.entries(needed)) {
    if (Object.entries(values).some(([given, value]) => given === name && value !== undefined)) continue;
    context.addIssue({
      code: "custom",
      path: [name],
      message: `MODEL_DEPLOYER_ROUTER=gateway needs ${what}`,
    });
  }
}

export function gatewayOf(values: GatewayValues): GatewaySettings {
  const namespace =
    values.MODEL_DEPLOYER_GATEWAY_NAMESPACE ?? values.MODEL_DEPLOYER_KUBERNETES_NAMESPACE ?? "";
  return {
    kind: "gateway",
    name: values.MODEL_DEPLOYER_GATEWAY_NAME ?? "",
    namespace,
    listener: values.MODEL_DEPLOYER_GATEWAY_LISTENER ?? null,
    podsNamespace: values.MODEL_DEPLOYER_GATEWAY_PODS_NAMESPACE ?? namespace,
    address: values.MODEL_DEPLOYER_GATEWAY_ADDRESS ?? "",
    image: values.MODEL_DEPLOYER_ROUTER_IMAGE,
  };
}
