import { computed, signal } from "@preact/signals";
import type { EndpointView, NamedVitals, OperationReport } from "./api/answer_schemas.ts";
import type { LatencySample } from "./charts/latency_chart.tsx";

/** The state as the live stream has told it; the views show nothing that is not in here or asked for by name. */

export type Connection = "connecting" | "live" | "behind";

export const connection = signal<Connection>("connecting");
/** Why the page is not current; null while it is. */
export const behindBecause = signal<string | null>(null);
export const endpoints = signal<ReadonlyMap<string, EndpointView>>(new Map());
export const operations = signal<ReadonlyMap<string, OperationReport>>(new Map());
/** Rises with each change of the history, so that what was asked of it is asked again. */
export const historyRevision = signal(0);
/** False until the first whole picture has come. */
export const isKnown = signal(false);

const KEPT_SAMPLES = 600;
const samples = new Map<string, LatencySample[]>();

export const samplesOf = (deploymentId: string): readonly LatencySample[] => samples.get(deploymentId) ?? [];

export const waiting = computed(() =>
  [...operations.value.values()].filter(({ status }) => status === "awaiting_approval"),
);

/** With 2 before 10. */
const names = new Intl.Collator(undefined, { numeric: true });
const ATTENTION = { down: 0, degraded: 1, unknown: 3, ok: 3, idle: 4 } as const;

/** Endpoints by how much they need somebody: unwell, then with a rollout or an operation, then by name. */
export const byAttention = computed(() => {
  const rank = (one: EndpointView) => {
    const isMoving = one.rollout?.status === "running" || one.rollout?.status === "paused";
    return Math.min(ATTENTION[one.health.state], isMoving || one.operations.length > 0 ? 2 : 5);
  };
  return [...endpoints.value.values()].sort(
    (a, b) => rank(a) - rank(b) || names.compare(a.endpoint_name, b.endpoint_name),
  );
});

export function takeEndpoints(views: readonly EndpointView[]): void {
  endpoints.value = new Map([
    ...endpoints.value,
    ...views.map((view) => [view.endpoint_name, view] as const),
  ]);
  for (const view of views) keepSamples(view);
}

/** Health and figures of endpoints that were read anew. */
export function takeVitals(read: readonly NamedVitals[]): void {
  const views = read.flatMap((one) =>
    Object.entries(one).flatMap(([name, vitals]) => {
      const known = endpoints.value.get(name);
      return known === undefined ? [] : [{ ...known, ...vitals }];
    }),
  );
  takeEndpoints(views);
}

export function takeOperations(reports: readonly OperationReport[]): void {
  operations.value = new Map([
    ...operations.value,
    ...reports.map((report) => [report.operation_id, report] as const),
  ]);
}

/** Before a stream that begins anew: what it does not name any more is gone. */
export function forgetAll(): void {
  endpoints.value = new Map();
  operations.value = new Map();
}

function keepSamples({ figures_by_deployment }: EndpointView): void {
  for (const [id, { read_at, p50_ms, p99_ms }] of Object.entries(figures_by_deployment)) {
    const kept = samples.get(id) ?? [];
    const at = Date.parse(read_at);
    if (kept.at(-1)?.at === at) continue;
    kept.push({ at, p50: p50_ms, p99: p99_ms });
    if (kept.length > KEPT_SAMPLES) kept.shift();
    samples.set(id, kept);
  }
}
