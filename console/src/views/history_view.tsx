import { criteriaChangeText } from "../../../src/agents/model_deployer/planning/wording/criteria_change.ts";
import { useComputed, useSignal } from "@preact/signals";
import { historyReportSchema } from "../../../src/service/status/history_schemas.ts";
import type { HistoryReport } from "../api/answer_schemas.ts";
import { ask } from "../api/client.ts";
import { today } from "../live_clock.ts";
import { useAsked } from "../parts/asked.ts";
import { Chips } from "../parts/chips.tsx";
import { ProblemNote } from "../parts/problems/problem_note.tsx";
import { figuresText, instantText, reasonText, servedNames, withNames } from "../readable.ts";
import { endpoints, historyRevision } from "../store.ts";
import { Timeline } from "./history_timeline.tsx";

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
        <Chips
          label="only this kind"
          choices={kinds.map((one) => [one.replaceAll("_", " "), one])}
          chosen={kind.value}
          onChoose={(one) => (kind.value = one === kind.value ? null : one)}
        />
      </div>
      <ol class="changes">
        {shown.map((one, index) => (
          <Event key={`${one.occurred_at} ${index}`} event={one} versions={history.versions} />
        ))}
      </ol>
    </section>
  );
}

interface EventProps {
  event: HistoryReport["events"][number];
  versions: Record<string, string>;
}

function Event({ event, versions }: EventProps) {
  return (
    <li class="change">
      <time dateTime={event.occurred_at}>{instantText(event.occurred_at, today.value)}</time>
      <span>
        <span aria-hidden="true">{KINDS[event.kind] ?? "·"}</span> {event.kind.replaceAll("_", " ")}{" "}
        <strong>{whatOf(event, versions)}</strong>
      </span>
      <span class="why" title={event.reason}>
        {reasonText(event.reason, versions)} <span class="quiet">by {event.changed_by}</span>
      </span>
      {figuresText(event.metrics) !== null && (
        <span class="quiet figures-text">{figuresText(event.metrics)}</span>
      )}
    </li>
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
