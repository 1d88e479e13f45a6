import { useComputed, useSignal } from "@preact/signals";
import { weightsReportSchema } from "../../../src/service/endpoints/endpoint_schemas.ts";
import type { WeightsReport } from "../api/answer_schemas.ts";
import { ask } from "../api/client.ts";
import { WeightsChart } from "../charts/weights_chart.tsx";
import { inForceAt } from "../charts/weight_bands.ts";
import { hashOf } from "../hash_route.ts";
import { unhurriedNow } from "../live_clock.ts";
import { useAsked } from "../parts/asked.ts";
import { WeightsText } from "../parts/change_list.tsx";
import { ProblemNote } from "../parts/problems/problem_note.tsx";
import { figuresText, instantText, reasonText } from "../readable.ts";
import { endpoints } from "../store.ts";
import { orderedNames } from "./endpoint_view.tsx";

/** The versions that an endpoint's traffic went to, at any moment. */
export function Timeline({ endpoint }: { endpoint: string }) {
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
      <Moment
        at={position.value === STEPS ? null : at}
        until={until}
        change={change}
        names={names}
        versions={report.versions}
      />
    </>
  );
}

interface MomentProps {
  /** Null for now. */
  at: number | null;
  until: number;
  change: WeightsReport["weights"][number] | null;
  names: Record<string, string>;
  versions: Record<string, string>;
}

/** What was in production at that moment, and since when. */
function Moment({ at, until, change, names, versions }: MomentProps) {
  return (
    <div class="moment" aria-live="polite">
      <p>
        <strong>{at === null ? "now" : instantText(at, until)}</strong>{" "}
        {change === null ? (
          <span class="quiet">nothing was in production</span>
        ) : (
          <WeightsText weights={change.version_weights} names={names} />
        )}
      </p>
      {change !== null && (
        <p class="quiet">
          since {instantText(change.occurred_at, until)}, by {change.changed_by}:{" "}
          {reasonText(change.reason, versions)}
          {figuresText(change.metrics) !== null && ` (${figuresText(change.metrics)})`}
        </p>
      )}
    </div>
  );
}
