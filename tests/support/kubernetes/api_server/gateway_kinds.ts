import { z } from "zod";
import type { Kind } from "./kinds.ts";

/** What a server with the Gateway API's standard definitions was seen to refuse, and to take although it does no good. */
const name = z.string().min(1).max(253);
const servicePort = z.int().min(1).max(65_535);
const service = {
  group: z.string().optional(),
  kind: z.string().optional(),
  name,
  namespace: z.string().optional(),
};
const isPorted = (ref: { kind?: string | undefined; port?: number | undefined }) =>
  (ref.kind ?? "Service") !== "Service" || ref.port !== undefined;
const reference = z
  .strictObject({ ...service, port: servicePort.optional() })
  .refine(isPorted, "Must have port for Service reference");
const modifier = z.strictObject({
  set: z.array(z.strictObject({ name, value: z.string() })).optional(),
  add: z.array(z.strictObject({ name, value: z.string() })).optional(),
  remove: z.array(z.string()).optional(),
});
const filter = z
  .strictObject({
    type: z.enum(["RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "ExtensionRef"]),
    requestHeaderModifier: modifier.optional(),
    responseHeaderModifier: modifier.optional(),
    extensionRef: z.strictObject({ group: z.string(), kind: z.string(), name }).optional(),
    requestMirror: z
      .strictObject({
        backendRef: reference,
        percent: z.int().min(0).max(100).optional(),
        fraction: z
          .strictObject({ numerator: z.int().min(0), denominator: z.int().min(1).optional() })
          .optional(),
      })
      .refine(
        (mirror) => mirror.percent === undefined || mirror.fraction === undefined,
        "Only one of percent or fraction may be specified in HTTPRequestMirrorFilter",
      )
      .optional(),
  })
  .refine(
    ({ type, requestMirror }) => (type === "RequestMirror") === (requestMirror !== undefined),
    "filter.requestMirror must be specified for RequestMirror filter.type",
  );
const milliseconds = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
const duration = z.string().regex(/^([0-9]{1,5}(h|m|s|ms)){1,4}$/);
const msOf = (text: string) =>
  [...text.matchAll(/(\d+)(ms|h|m|s)/g)].reduce(
    (sum, [, count, unit]) =>
      sum + Number(count) * (Object.entries(milliseconds).find(([known]) => known === unit)?.[1] ?? 0),
    0,
  );
const timeouts = z
  .strictObject({ request: duration.optional(), backendRequest: duration.optional() })
  .refine(
    ({ request, backendRequest }) =>
      request === undefined || backendRequest === undefined || msOf(backendRequest) <= msOf(request),
    "backendRequest timeout cannot be longer than request timeout",
  );
const rule = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
    .optional(),
  matches: z
    .array(
      z.strictObject({
        path: z.strictObject({ type: z.enum(["Exact", "PathPrefix"]), value: z.string() }).optional(),
        method: z.string().optional(),
      }),
    )
    .max(64)
    .optional(),
  filters: z.array(filter).max(16).optional(),
  backendRefs: z
    .array(
      z
        .strictObject({
          ...service,
          port: servicePort.optional(),
          weight: z.int().min(0).max(1_000_000).optional(),
          filters: z.array(filter).optional(),
        })
        .refine(isPorted, "Must have port for Service reference"),
    )
    .max(16)
    .optional(),
  timeouts: timeouts.optional(),
});
const httpRoute = {
  spec: z.strictObject({
    parentRefs: z
      .array(z.strictObject({ ...service, sectionName: z.string().optional(), port: servicePort.optional() }))
      .max(32)
      .optional(),
    hostnames: z
      .array(z.string().regex(/^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/))
      .max(16)
      .optional(),
    rules: z.array(rule).min(1).max(16).optional(),
  }),
};

const common = {
  apiVersion: "gateway.networking.k8s.io/v1",
  namePattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
};
export const gatewayKinds: Record<string, Kind> = {
  httproutes: { ...common, kind: "HTTPRoute", fields: httpRoute, immutable: [] },
  gateways: { ...common, kind: "Gateway", fields: { spec: z.looseObject({}) }, immutable: [] },
  gatewayclasses: { ...common, kind: "GatewayClass", fields: { spec: z.looseObject({}) }, immutable: [] },
};

const backendSchema = z.looseObject({});
const defaultedSchema = z.looseObject({
  spec: z.looseObject({
    parentRefs: z.array(backendSchema).optional(),
    rules: z
      .array(
        z.looseObject({
          backendRefs: z.array(backendSchema).optional(),
          filters: z
            .array(z.looseObject({ requestMirror: z.looseObject({ backendRef: backendSchema }).optional() }))
            .optional(),
        }),
      )
      .optional(),
  }),
});
const toService = { group: "", kind: "Service" };

/** As the definitions fill in what was left out. */
export function withRouteDefaults(body: unknown): Record<string, unknown> {
  const { spec, ...object } = defaultedSchema.parse(body);
  const parentRefs = spec.parentRefs?.map((one) => ({
    group: "gateway.networking.k8s.io",
    kind: "Gateway",
    ...one,
  }));
  const rules = spec.rules?.map(({ backendRefs, filters, ...more }) => ({
    ...more,
    ...(backendRefs && { backendRefs: backendRefs.map((one) => ({ ...toService, weight: 1, ...one })) }),
    ...(filters && {
      filters: filters.map(({ requestMirror, ...one }) => ({
        ...one,
        ...(requestMirror && {
          requestMirror: { ...requestMirror, backendRef: { ...toService, ...requestMirror.backendRef } },
        }),
      })),
    }),
  }));
  return { ...object, spec: { ...spec, ...(parentRefs && { parentRefs }), ...(rules && { rules }) } };
}
