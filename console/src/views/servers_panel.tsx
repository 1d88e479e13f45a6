import { useRef } from "preact/hooks";
import {
  serverUsageSchema,
  type ServerUsageReport,
} from "../../../src/service/endpoints/server_usage_schemas.ts";
import { elsewhere } from "../../../src/agents/model_deployer/domain/servers/engines.ts";
import { ask } from "../api/client.ts";
import { now } from "../live_clock.ts";
import { useAsked } from "../parts/asked.ts";
import { useInterval } from "../parts/use_interval.ts";
import { ProblemNote } from "../parts/problems/problem_note.tsx";
import { durationText, percentText, secondsBetween } from "../readable.ts";

const EVERY_MS = 5000;

type Shown = ServerUsageReport["deployments"][number];
type Server = NonNullable<Shown["servers"]>[number];

/** Replicas of each deployment, and how close each server is to its limits. */
export function ServersPanel({ endpoint }: { endpoint: string }) {
  const ticks = useInterval(EVERY_MS);
  const asked = useAsked(
    () => ask(serverUsageSchema, `/v1/endpoints/${encodeURIComponent(endpoint)}/servers`),
    [endpoint, ticks],
  );
  const report = asked.answer.value;
  const rates = useCpuRates(report);
  if (report !== null && report.deployments.length === 0) return null;
  return (
    <section class="panel panel-wide" aria-labelledby="servers-title">
      <div class="panel-head">
        <h2 id="servers-title">Servers and limits</h2>
      </div>
      <ProblemNote error={asked.error.value} />
      {report?.deployments.map((one) => (
        <Deployment key={one.deployment_id} deployment={one} rates={rates} />
      ))}
    </section>
  );
}

/** Cores in use by server, between the last two readings. */
function useCpuRates(report: ServerUsageReport | null): ReadonlyMap<string, number> {
  const before = useRef<ServerUsageReport | null>(null);
  const rates = useRef<ReadonlyMap<string, number>>(new Map());
  if (report !== null && report !== before.current) {
    const earlier = before.current;
    if (earlier !== null) {
      const seconds = (Date.parse(report.read_at) - Date.parse(earlier.read_at)) / 1000;
      const used = cpuByServer(earlier);
      rates.current = new Map(
        [...cpuByServer(report)].flatMap(([key, cpu]) => {
          const growth = cpu - (used.get(key) ?? Infinity);
          return seconds > 0 && growth >= 0 ? [[key, growth / seconds] as const] : [];
        }),
      );
    }
    before.current = report;
  }
  return rates.current;
}

const keyOf = (id: string, { replica }: Server): string => `${id} ${replica}`;

function cpuByServer({ deployments }: ServerUsageReport): Map<string, number> {
  return new Map(
    deployments.flatMap(({ deployment_id: id, servers }) =>
      (servers ?? []).map((one) => [keyOf(id, one), one.cpu_seconds] as const),
    ),
  );
}

function Deployment({ deployment, rates }: { deployment: Shown; rates: ReadonlyMap<string, number> }) {
  const { deployment_id: id, bento_tag, status, replicas, cpu_limit, memory_limit, autoscaling } = deployment;
  const { servers, not_enforced, warm_until, engine } = deployment;
  const { min, max, target_cpu } = autoscaling;
  const scaled = min === max ? `always ${min}` : `${min} to ${max} at ${target_cpu} % CPU`;
  return (
    <div class="servers">
      <h3>
        <span class="name">{bento_tag}</span>{" "}
        <span class="quiet">
          {status}
          {elsewhere(engine)}
        </span>
      </h3>
      <p class="quiet">
        {servers?.length ?? "?"} of {replicas} {replicas === 1 ? "server" : "servers"} · autoscaling {scaled}{" "}
        · each at most {cpu_limit} CPU, {memory_limit}
        {warm_until !== null && ` · warm for ${durationText(-secondsBetween(warm_until, now.value))}`}
      </p>
      {not_enforced !== null && <p class="problem-quiet">limits are watched, not enforced: {not_enforced}</p>}
      {servers === null && <p class="quiet">Nothing measures its servers here.</p>}
      {servers !== null && servers.length > 0 && (
        <ul class="gauges">
          {servers.map((one) => (
            <ServerGauges
              key={one.replica}
              server={one}
              deployment={deployment}
              cores={rates.get(keyOf(id, one))}
            />
          ))}
        </ul>
      )}
    </div>
  );
}

interface GaugesProps {
  server: Server;
  deployment: Shown;
  cores: number | undefined;
}

function ServerGauges({ server, deployment: { memory_limit, cpu_cores }, cores }: GaugesProps) {
  const { replica, memory_share, memory_bytes, age_seconds, throttled_seconds, out_of_memory } = server;
  return (
    <li>
      <span class="quiet">server {replica}</span>
      <Gauge name="memory" share={memory_share} text={`${megabytes(memory_bytes)} of ${memory_limit}`} />
      <CpuGauge cores={cores} limit={cpu_cores} />
      <span class="quiet">
        up {durationText(age_seconds)}
        {(throttled_seconds ?? 0) > 0 &&
          `, held back for its CPU limit for ${durationText(throttled_seconds ?? 0)}`}
        {out_of_memory > 0 && `, ${out_of_memory} times out of memory`}
      </span>
    </li>
  );
}

function CpuGauge({ cores, limit }: { cores: number | undefined; limit: number }) {
  if (cores === undefined) return <span class="quiet">CPU: measuring …</span>;
  return <Gauge name="CPU" share={cores / limit} text={`${cores.toFixed(2)} of ${limit} cores`} />;
}

/** Close to its limit from here on. */
const CLOSE = 0.8;

function Gauge({ name, share, text }: { name: string; share: number; text: string }) {
  return (
    <label class={share >= CLOSE ? "gauge gauge-close" : "gauge"}>
      <span>
        {name} {percentText(share, 0)}
      </span>
      <meter min={0} max={1} high={CLOSE} value={Math.min(1, share)} />
      <span class="quiet">{text}</span>
    </label>
  );
}

const megabytes = (bytes: number): string =>
  bytes >= 1024 ** 3 ? `${(bytes / 1024 ** 3).toFixed(2)} GiB` : `${Math.round(bytes / 1024 ** 2)} MiB`;
