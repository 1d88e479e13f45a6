import { z } from "zod";

export const texts = z.record(z.string(), z.string());
const labelValue = z.string().regex(/^(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?$/);
export const labels = z.record(z.string(), labelValue);
export const selector = z.strictObject({ matchLabels: labels });
const quantity = z.string().regex(/^\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/);
const quantities = z.record(z.string(), quantity);
export const count = z.union([z.int().min(0), z.string()]);
export const port = z.union([z.int().min(1).max(65_535), z.string()]);

const probe = z.strictObject({
  httpGet: z.strictObject({ path: z.string(), port, scheme: z.string().optional() }),
  periodSeconds: z.int().min(1).optional(),
  timeoutSeconds: z.int().min(1).optional(),
  failureThreshold: z.int().min(1).optional(),
  initialDelaySeconds: z.int().min(0).optional(),
});
const container = z.strictObject({
  name: z.string(),
  image: z.string(),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
  workingDir: z.string().optional(),
  env: z
    .array(
      z.union([
        z.strictObject({ name: z.string(), value: z.string() }),
        z.strictObject({
          name: z.string(),
          valueFrom: z.strictObject({ fieldRef: z.strictObject({ fieldPath: z.string() }) }),
        }),
      ]),
    )
    .optional(),
  ports: z
    .array(z.strictObject({ name: z.string(), containerPort: z.int(), protocol: z.string().optional() }))
    .optional(),
  resources: z.strictObject({ requests: quantities.optional(), limits: quantities.optional() }).optional(),
  startupProbe: probe.optional(),
  readinessProbe: probe.optional(),
  livenessProbe: probe.optional(),
  lifecycle: z
    .strictObject({ preStop: z.strictObject({ exec: z.strictObject({ command: z.array(z.string()) }) }) })
    .optional(),
  securityContext: z
    .strictObject({
      readOnlyRootFilesystem: z.boolean().optional(),
      allowPrivilegeEscalation: z.boolean().optional(),
      capabilities: z.strictObject({ drop: z.array(z.string()) }).optional(),
    })
    .optional(),
  volumeMounts: z
    .array(z.strictObject({ name: z.string(), mountPath: z.string(), readOnly: z.boolean().optional() }))
    .optional(),
});
/** What an API server takes for a pod. */
export const podSpec = z.strictObject({
  containers: z.array(container).min(1),
  automountServiceAccountToken: z.boolean().optional(),
  enableServiceLinks: z.boolean().optional(),
  imagePullSecrets: z.array(z.strictObject({ name: z.string() })).optional(),
  terminationGracePeriodSeconds: z.int().optional(),
  securityContext: z
    .strictObject({
      runAsNonRoot: z.boolean().optional(),
      runAsUser: z.int().optional(),
      runAsGroup: z.int().optional(),
      fsGroup: z.int().optional(),
      seccompProfile: z.strictObject({ type: z.string() }).optional(),
    })
    .optional(),
  topologySpreadConstraints: z
    .array(
      z.strictObject({
        maxSkew: z.int(),
        topologyKey: z.string(),
        whenUnsatisfiable: z.enum(["ScheduleAnyway", "DoNotSchedule"]),
        labelSelector: selector,
      }),
    )
    .optional(),
  volumes: z
    .array(
      z.strictObject({
        name: z.string(),
        emptyDir: z.strictObject({ sizeLimit: quantity.optional() }).optional(),
        configMap: z
          .strictObject({
            name: z.string(),
            items: z.array(z.strictObject({ key: z.string(), path: z.string() })).optional(),
          })
          .optional(),
      }),
    )
    .optional(),
});
