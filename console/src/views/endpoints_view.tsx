import { useSignal } from "@preact/signals";
import type { EndpointView } from "../api/answer_schemas.ts";
import { askFor, ROLLBACK } from "../controls.ts";
import { hashOf } from "../hash_route.ts";
import { LiveText } from "../parts/live_text.tsx";
import { HealthMark } from "../parts/marks.tsx";
import { Reasons } from "../parts/reasons.tsx";
import { isOpen, RolloutTrack } from "../parts/rollout_track.tsx";
import { TrafficBar } from "../parts/traffic_bar.tsx";
import { WaitingList } from "../parts/decisions/waiting_list.tsx";
import { agoText, millisecondsText, percentText, rateText, reasonText, servedNames } from "../readable.ts";
import { byAttention, isKnown } from "../store.ts";
import { useGrowing } from "../parts/growing.ts";
import { StartView } from "./start_view.tsx";

/** The endpoints with their traffic, how well they answer, and the requests that wait for somebody. */
export function EndpointsView() {
  const wanted = useSignal("");
  const all = byAttention.value;
  const drawn = useGrowing(all.length);
  if (!isKnown.value) return <p class="quiet page-note">Looking …</p>;
  if (all.length === 0) return <StartView />;
  const shown = all.filter(({ endpoint_name }) => endpoint_name.includes(wanted.value.trim().toLowerCase()));
  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>Endpoints</h1>
        <p class="quiet">{summaryOf(all)}</p>
        {all.length > 6 && (
          <input
            class="filter"
            type="search"
            aria-label="only endpoints whose name has this"
            placeholder="filter by name"
            value={wanted.value}
            onInput={(event) => (wanted.value = event.currentTarget.value)}
          />
        )}
      </div>
      <WaitingList />
      <ul class="endpoints">
        {shown.slice(0, drawn).map((endpoint) => (
          <EndpointCard key={endpoint.endpoint_name} endpoint={endpoint} />
        ))}
      </ul>
      {shown.length === 0 && <p class="quiet">No endpoint's name has “{wanted.value}”.</p>}
    </>
  );
}

function summaryOf(all: readonly EndpointView[]): string {
  const unwell = all.filter(({ health }) => health.state === "down" || health.state === "degraded").length;
  const unseen = all.filter(({ health }) => health.state === "unknown").length;
  const moving = all.filter(({ rollout }) => isOpen(rollout)).length;
  const rate = all.reduce((sum, { figures }) => sum + (figures?.requests_per_second ?? 0), 0);
  const parts = [
    `${all.length} ${all.length === 1 ? "endpoint" : "endpoints"}`,
    ...(unwell === 0 ? [] : [`${unwell} unwell`]),
    ...(unseen === 0 ? [] : [`${unseen} not looked at yet`]),
    ...(unwell + unseen === 0 ? ["all well"] : []),
    `${moving} ${moving === 1 ? "rollout" : "rollouts"} under way`,
    `${rateText(rate)} requests/s`,
  ];
  return parts.join(" · ");
}

function EndpointCard({ endpoint }: { endpoint: EndpointView }) {
  const { endpoint_name: name, traffic, health, rollout } = endpoint;
  const serves = traffic.some(({ weight, stage }) => weight > 0 && stage === "production");
  return (
    <li class={`card card-${health.state}`}>
      <div class="card-head">
        <h2>
          <a href={hashOf({ view: "endpoint", endpoint: name })}>{name}</a>
        </h2>
        <HealthMark health={health} />
        {serves && (
          <button
            type="button"
            class="button-quiet button-danger-quiet"
            aria-label={`Roll back ${name}`}
            onClick={() => askFor(ROLLBACK, name)}
          >
            Roll back
          </button>
        )}
      </div>
      <div class="card-body">
        <div class="card-traffic">
          <TrafficBar traffic={traffic} />
          <LastChange endpoint={endpoint} />
        </div>
        <Figures endpoint={endpoint} />
      </div>
      {isOpen(rollout) && <RolloutTrack rollout={rollout} />}
      <Reasons reasons={health.reasons} />
    </li>
  );
}

function LastChange({ endpoint }: { endpoint: EndpointView }) {
  const { last_change: changed, mirror } = endpoint;
  return (
    <p class="quiet">
      {changed === null ? (
        "never had traffic"
      ) : (
        <>
          since <LiveText of={(now) => agoText(changed.occurred_at, now)} />:{" "}
          {reasonText(changed.reason, servedNames(endpoint))}
        </>
      )}
      {mirror !== null && ` · mirrored to v${mirror.version}`}
    </p>
  );
}

export function Figures({ endpoint: { figures } }: { endpoint: EndpointView }) {
  const shown = [
    ["requests/s", figures === null ? "–" : rateText(figures.requests_per_second)],
    ["errors", percentText(figures?.error_share ?? null)],
    ["p50", millisecondsText(figures?.p50_ms ?? null)],
    ["p99", millisecondsText(figures?.p99_ms ?? null)],
  ];
  const isFailing = (figures?.error_share ?? 0) > 0.01;
  return (
    <dl class="figures">
      {shown.map(([name, value]) => (
        <div key={name} class={name === "errors" && isFailing ? "figure-bad" : ""}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
