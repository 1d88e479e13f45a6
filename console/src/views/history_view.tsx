import { criteriaChangeText } from "../../../src/agents/model_deployer/planning/wording/criteria_change.ts";
import { useComputed, useSignal } from "@preact/signals";
import { weightsReportSchema } from "../../../src/service/endpoints/endpoint_schemas.ts";
import { historyReportSchema } from "../../../src/service/report_schemas.ts";
import type { HistoryReport, WeightsReport } from "../api/answer_schemas.ts";
import { ask } from "../api/client.ts";
import { WeightsChart } from "../charts/weights_chart.tsx";
import { inForceAt } from "../charts/weight_bands.ts";
import { today, unhurriedNow } from "../live_clock.ts";
import { hashOf } from "../hash_route.ts";
import { useAsked } from "../parts/asked.ts";
import { WeightsText } from "../parts/change_list.tsx";
import { ProblemNote } from "../parts/problem_note.tsx";
import { figuresText, instantText, reasonText, servedNames, withNames } from "../readable.ts";
import { endpoints, historyRevision } from "../store.ts";
import { orderedNames } from "./endpoint_view.tsx";

/** The versions in production at any moment, and all decisions, the newest first. */
export function HistoryView({ subject }: { subject: string }) {
  const asked = useAsked(
    () => ask(historyReportSchema, `/v1/history/${encodeURIComponent(subject)}?limit=300`),
    [subject, historyRevision.value],
  );
  const history = asked.answer.value;
  const own = useComputed(() =>
    [...endpoints.value.values()]
      .filter(({ experiment_id, stage }) => experiment_id === subject && stage !== "staging")
      .map(({ endpoint_name }) => endpoint_name)
      .join("\n"),
  );
  return (
    <>
      <header class="page-head">
        <h1 tabIndex={-1}>History of {subject}</h1>
      </header>
      <ProblemNote error={asked.error.value} />
      {own.value
        .split("\n")
        .filter((name) => name !== "")
        .map((name) => (
          <Timeline key={name} endpoint={name} />
        ))}
      {history === null && asked.error.value === null && <p class="page-note quiet">Looking …</p>}
      {history !== null && <Events history={history} />}
      {history !== null && <Memory history={history} />}
    </>
  );
}

/** Memories of this model family, and what they change of its next rollout. */
function Memory({ history: { episodes, care, degraded } }: { history: HistoryReport }) {
  const served = [...endpoints.peek().values()].flatMap((one) => Object.entries(servedNames(one)));
  const names = Object.fromEntries(served);
  if (episodes.length === 0 && care.length === 0 && degraded.length === 0) return null;
  return (
    <section class="panel" aria-labelledby="memory-title">
      <h2 id="memory-title">What is remembered, and what it changes</h2>
      {care.map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
      {degraded.map((sentence) => (
        <p key={sentence} class="problem">
          {sentence}
        </p>
      ))}
      <ol class="changes">
        {episodes.map((one) => (
          <li key={`${one.occurred_at} ${one.what}`} class="change">
            <time dateTime={one.occurred_at}>{instantText(one.occurred_at, today.value)}</time>
            <span>
              {one.what.replaceAll("_", " ")} <span class="quiet">{one.outcome}</span>
            </span>
            <span class="why">{withNames(one.description, names)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Timeline({ endpoint }: { endpoint: string }) {
  const generation = useComputed(() => endpoints.value.get(endpoint)?.observed_generation);
  const asked = useAsked(
    () => ask(weightsReportSchema, `/v1/endpoints/${encodeURIComponent(endpoint)}/weights?limit=5000`),
    [endpoint, generation.value],
  );
  const report = asked.answer.value;
  return (
    <section class="panel" aria-labelledby={`timeline-${endpoint}`}>
      <div class="panel-head">
        <h2 id={`timeline-${endpoint}`}>
          In production on <a href={hashOf({ view: "endpoint", endpoint })}>{endpoint}</a>
        </h2>
      </div>
      <ProblemNote error={asked.error.value} />
      {report !== null && report.weights.length > 0 && <Dragged report={report} />}
    </section>
  );
}

const STEPS = 1000;

/** A timeline to drag over, or to walk with the arrow keys. */
function Dragged({ report }: { report: WeightsReport }) {
  const position = useSignal(STEPS);
  const names = orderedNames(report);
  const until = Math.max(unhurriedNow.value, Date.parse(report.weights.at(-1)?.occurred_at ?? "") + 1);
  const since = Math.min(Date.parse(report.weights[0]?.occurred_at ?? ""), until - 60_000);
  const at = since + ((until - since) * position.value) / STEPS;
  const change = inForceAt(report.weights, at);
  return (
    <>
      <WeightsChart
        changes={report.weights}
        names={names}
        since={since}
        until={until}
        cursor={at}
        chosen={change}
        onChoose={() => undefined}
      />
      <input
        class="cursor-range"
        type="range"
        min={0}
        max={STEPS}
        value={position.value}
        aria-label="moment"
        aria-valuetext={instantText(at, until)}
        onInput={(event) => (position.value = event.currentTarget.valueAsNumber)}
      />
      <div class="moment" aria-live="polite">
        <p>
          <strong>{position.value === STEPS ? "now" : instantText(at, until)}</strong>{" "}
          {change === null ? (
            <span class="quiet">nothing was in production</span>
          ) : (
            <WeightsText weights={change.version_weights} names={names} />
          )}
        </p>
        {change !== null && (
          <p class="quiet">
            since {instantText(change.occurred_at, until)}, by {change.changed_by}:{" "}
            {reasonText(change.reason, report.versions)}
            {figuresText(change.metrics) !== null && ` (${figuresText(change.metrics)})`}
          </p>
        )}
      </div>
    </>
  );
}

const KINDS: Record<string, string> = {
  promotion: "▲",
  supersession: "↷",
  rollback: "↶",
  archival: "▽",
  refusal: "✗",
  traffic: "◆",
  criteria: "≥",
  rollout: "▸",
};

function Events({ history }: { history: HistoryReport }) {
  const kind = useSignal<string | null>(null);
  const kinds = [...new Set(history.events.map((one) => one.kind))];
  const shown = history.events.filter((one) => kind.value === null || one.kind === kind.value).reverse();
  return (
    <section class="panel" aria-labelledby="events-title">
      <div class="panel-head">
        <h2 id="events-title">Everything that was decided</h2>
        <div class="chips" role="group" aria-label="only this kind">
          {kinds.map((one) => (
            <button
              key={one}
              type="button"
              class="chip"
              aria-pressed={one === kind.value}
              onClick={() => (kind.value = one === kind.value ? null : one)}
            >
              {one.replaceAll("_", " ")}
            </button>
          ))}
        </div>
      </div>
      <ol class="changes">
        {shown.map((one, index) => (
          <li key={`${one.occurred_at} ${index}`} class="change">
            <time dateTime={one.occurred_at}>{instantText(one.occurred_at, today.value)}</time>
            <span>
              <span aria-hidden="true">{KINDS[one.kind] ?? "·"}</span> {one.kind.replaceAll("_", " ")}{" "}
              <strong>{whatOf(one, history.versions)}</strong>
            </span>
            <span class="why" title={one.reason}>
              {reasonText(one.reason, history.versions)} <span class="quiet">by {one.changed_by}</span>
            </span>
            {figuresText(one.metrics) !== null && (
              <span class="quiet figures-text">{figuresText(one.metrics)}</span>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

function whatOf(event: HistoryReport["events"][number], versions: Record<string, string>): string {
  const { model_version_id: id, from_stage, to_stage, weights, evidence } = event;
  const version = id === null ? "" : (versions[id] ?? id);
  if (to_stage !== null) return `${version}: ${from_stage === null ? "" : `${from_stage} → `}${to_stage}`;
  if (weights === null) return criteriaChangeText(evidence) ?? version;
  return Object.entries(weights)
    .filter(([, weight]) => weight > 0)
    .map(([one, weight]) => `${versions[one] ?? one} ${weight} %`)
    .join(", ");
}
