import { useComputed, useSignal } from "@preact/signals";
import {
  type AcknowledgedChange,
  type EndpointView as Endpoint,
  type WeightsReport,
} from "../api/answer_schemas.ts";
import { ask } from "../api/client.ts";
import { now } from "../live_clock.ts";
import { WeightsChart } from "../charts/weights_chart.tsx";
import { askFor, controlsFor } from "../controls.ts";
import { hashOf } from "../hash_route.ts";
import { useAsked } from "../parts/asked.ts";
import { ChangeList } from "../parts/change_list.tsx";
import { Chips } from "../parts/chips.tsx";
import { HealthMark } from "../parts/marks.tsx";
import { ProblemNote } from "../parts/problems/problem_note.tsx";
import { Reasons } from "../parts/reasons.tsx";
import { TrafficBar } from "../parts/traffic_bar.tsx";
import { WaitingList } from "../parts/decisions/waiting_list.tsx";
import { agoText, reasonText, servedNames } from "../readable.ts";
import { endpoints, isKnown } from "../store.ts";
import { weightsReportSchema } from "../../../src/service/endpoints/endpoint_schemas.ts";
import { Figures } from "./endpoints_view.tsx";
import { Latencies } from "./latencies.tsx";
import { RolloutPanel } from "./rollout_panel.tsx";
import { ServersPanel } from "./servers_panel.tsx";
import { ShadowPanel } from "./shadow_panel.tsx";

/** One endpoint closely: traffic over time, the judge's evidence, both sides' latency, its shadow. */
export function EndpointView({ name }: { name: string }) {
  // What changes of others draws nothing anew here.
  const endpoint = useComputed(() => endpoints.value.get(name)).value;
  if (endpoint === undefined) {
    return (
      <p class="page-note quiet">
        {isKnown.value ? `There is no endpoint ${name}; ` : "Looking … "}
        {isKnown.value && <a href="#/">these are there</a>}
      </p>
    );
  }
  return (
    <>
      <Head endpoint={endpoint} />
      <WaitingList experiment={endpoint.experiment_id} />
      <div class="panels">
        <RolloutPanel endpoint={endpoint} />
        <Traffic endpoint={endpoint} />
        <Latencies endpoint={endpoint} />
        <ShadowPanel endpoint={endpoint} />
        <ServersPanel endpoint={name} />
      </div>
    </>
  );
}

function Head({ endpoint }: { endpoint: Endpoint }) {
  const {
    endpoint_name: name,
    endpoint_url,
    experiment_id,
    health,
    traffic,
    last_change: changed,
  } = endpoint;
  return (
    <header class="endpoint-head">
      <div class="page-head">
        <h1 tabIndex={-1}>{name}</h1>
        <HealthMark health={health} />
        <Controls endpoint={endpoint} />
      </div>
      <p class="quiet">
        <code>POST {endpoint_url}/predict</code> · experiment{" "}
        <a href={hashOf({ view: "history", subject: experiment_id })}>{experiment_id}, its history</a>
      </p>
      <div class="head-row">
        <TrafficBar traffic={traffic} />
        <Figures endpoint={endpoint} />
      </div>
      {changed !== null && (
        <p class="quiet">
          since {agoText(changed.occurred_at, now.value)}, by {changed.changed_by}:{" "}
          {reasonText(changed.reason, servedNames(endpoint))}
        </p>
      )}
      <Reasons reasons={health.reasons} />
    </header>
  );
}

function Controls({ endpoint }: { endpoint: Endpoint }) {
  const { endpoint_name: name } = endpoint;
  return (
    <div class="controls" role="group" aria-label={`controls of ${name}`}>
      {controlsFor(endpoint).map((control) => (
        <button
          key={control.name}
          type="button"
          class={control.isDangerous === true ? "button-danger-quiet" : ""}
          onClick={() => askFor(control, name)}
        >
          {control.title}
        </button>
      ))}
    </div>
  );
}

const STRETCHES = [
  ["15 min", 900],
  ["1 h", 3600],
  ["1 d", 86_400],
  ["all", Infinity],
] as const;

function Traffic({ endpoint }: { endpoint: Endpoint }) {
  const { endpoint_name: name, observed_generation } = endpoint;
  const asked = useAsked(
    () => ask(weightsReportSchema, `/v1/endpoints/${encodeURIComponent(name)}/weights`),
    [name, observed_generation],
  );
  const stretch = useSignal<number>(900);
  const report = asked.answer.value;
  return (
    <section class="panel panel-wide" aria-labelledby="traffic-title">
      <div class="panel-head">
        <h2 id="traffic-title">Traffic over time</h2>
        <Chips
          label="how far back"
          choices={STRETCHES}
          chosen={stretch.value}
          onChoose={(seconds) => (stretch.value = seconds)}
        />
      </div>
      <ProblemNote error={asked.error.value} />
      {report !== null && (
        <TrafficOf report={report} seconds={stretch.value} served={servedNames(endpoint)} />
      )}
    </section>
  );
}

interface TrafficProps {
  report: WeightsReport;
  seconds: number;
  served: Record<string, string>;
}

function TrafficOf({ report, seconds, served }: TrafficProps) {
  const chosen = useSignal<AcknowledgedChange | null>(null);
  const { weights: changes } = report;
  const names = orderedNames(report);
  if (changes.length === 0) return <p class="quiet">It never had traffic.</p>;
  // A second has passed since the clock was read last, in which something may have changed.
  const until = Math.max(now.value, Date.parse(changes.at(-1)?.occurred_at ?? ""));
  const first = Date.parse(changes[0]?.occurred_at ?? "");
  const since = Number.isFinite(seconds) ? until - seconds * 1000 : first;
  const shown = changes.filter((one, index) => {
    const next = changes[index + 1];
    return next === undefined || Date.parse(next.occurred_at) >= since;
  });
  return (
    <>
      <WeightsChart
        changes={shown}
        names={names}
        since={Math.min(since, until - 1000)}
        until={until}
        chosen={chosen.value}
        onChoose={(change) => (chosen.value = change)}
      />
      <ChangeList
        changes={shown}
        names={names}
        served={served}
        chosen={chosen.value}
        onChoose={(change) => (chosen.value = change)}
      />
    </>
  );
}

/** Names by version in the order in which the versions first had traffic, so that each keeps its colour. */
export function orderedNames({ weights, versions }: WeightsReport): Record<string, string> {
  const ids = [...new Set(weights.flatMap((one) => Object.keys(one.version_weights)))];
  return Object.fromEntries(ids.map((id) => [id, versions[id] ?? id]));
}
