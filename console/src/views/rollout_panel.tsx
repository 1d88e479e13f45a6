import { useRef } from "preact/hooks";
import { looksReportSchema } from "../../../src/service/endpoints/endpoint_schemas.ts";
import type { EndpointView, LooksReport } from "../api/answer_schemas.ts";
import { ask } from "../api/client.ts";
import { BoundChart, EvidenceChart } from "../charts/evidence_chart.tsx";
import { now } from "../live_clock.ts";
import { type Asked, useAsked } from "../parts/asked.ts";
import { isOpen, RolloutTrack } from "../parts/rollout_track.tsx";
import { SidesTable } from "../parts/sides_table.tsx";
import { ProblemNote } from "../parts/problems/problem_note.tsx";
import { evidenceText, percentText } from "../readable.ts";

type Rollout = NonNullable<EndpointView["rollout"]>;

/** The rollout that began last: its steps, the judge's word, and the evidence as it grew. */
export function RolloutPanel({ endpoint: { rollout } }: { endpoint: EndpointView }) {
  return rollout === null ? null : <PanelOf rollout={rollout} />;
}

function PanelOf({ rollout }: { rollout: Rollout }) {
  const { verdict } = rollout;
  const asked = useLooks(rollout);
  const report = asked.answer.value;
  const last = Date.parse(report?.looks.at(-1)?.looked_at ?? "") || now.value;
  const until = isOpen(rollout) ? Math.max(now.value, last) : last;
  return (
    <section class="panel panel-wide" aria-labelledby="rollout-title">
      <div class="panel-head">
        <h2 id="rollout-title">{isOpen(rollout) ? "Rollout under way" : "The last rollout"}</h2>
      </div>
      <RolloutTrack rollout={rollout} />
      {report?.looks.at(-1)?.challenged === true && (
        <p class="verdict" role="status">
          <strong>A challenge is under way:</strong> the candidate looks worse than the baseline did before,
          which has a share back until they are compared.
        </p>
      )}
      {verdict !== null && (
        <p class={`verdict verdict-${verdict.outcome}`}>
          <strong>{verdict.outcome}</strong> {verdict.reason}
        </p>
      )}
      <ProblemNote error={asked.error.value} />
      {report !== null && report.looks.length > 0 && (
        <Evidence report={report} verdict={verdict} until={until} />
      )}
      <Sides rollout={rollout} />
    </section>
  );
}

interface EvidenceProps {
  report: LooksReport;
  verdict: Rollout["verdict"];
  until: number;
}

function Evidence({ report, verdict, until }: EvidenceProps) {
  return (
    <div class="evidence-charts">
      <figure>
        <figcaption>
          Evidence against the candidate
          <span class="quiet">
            {" "}
            e-value {evidenceText(verdict?.e_value ?? null)}; at {report.threshold} it goes back by itself
          </span>
        </figcaption>
        <EvidenceChart report={report} until={until} />
      </figure>
      <figure>
        <figcaption>
          Worse by at most
          <span class="quiet">
            {" "}
            {percentText(verdict?.worse_by_at_most ?? null)} of answers; all traffic asks for{" "}
            {percentText(report.margin)}
          </span>
        </figcaption>
        <BoundChart report={report} until={until} />
      </figure>
    </div>
  );
}

/** All looks at first, and from then on those that were added. */
function useLooks({ rollout_id: id, candidate, baseline, status, step_index }: Rollout): Asked<LooksReport> {
  const known = useRef<LooksReport | null>(null);
  return useAsked(async () => {
    const { looks = [] } = known.current?.rollout_id === id ? known.current : {};
    const last = looks.at(-1)?.looked_at;
    const since = last === undefined ? "" : `?since=${encodeURIComponent(last)}`;
    const told = await ask(looksReportSchema, `/v1/rollouts/${encodeURIComponent(id)}/looks${since}`);
    known.current = { ...told, looks: [...looks, ...told.looks] };
    return known.current;
  }, [id, `${candidate.requests} ${baseline.requests} ${status} ${step_index}`]);
}

type Unit = NonNullable<Rollout["verdict"]>["signals"][number]["unit"];

const UNITS: Record<Unit, (value: number) => string> = {
  share: (value) => percentText(value, 2),
  ms: (value) => `${value.toFixed(1)} ms`,
  loss: (value) => value.toPrecision(3),
  value: (value) => String(Number(value.toPrecision(4))),
};

const valueText = (value: number | null, unit: Unit): string => (value === null ? "–" : UNITS[unit](value));

function Sides({ rollout: { candidate, baseline, verdict } }: { rollout: Rollout }) {
  return (
    <SidesTable
      label="both sides since the rollout began"
      columns={["since it began", "candidate", "baseline", "e-value"]}
    >
      <tr>
        <th scope="row">answers</th>
        <td>{candidate.requests}</td>
        <td>{baseline.requests}</td>
        <td />
      </tr>
      {(verdict?.signals ?? []).map((one) => (
        <tr key={one.signal}>
          <th scope="row">{one.signal.replace("metric:", "").replaceAll("_", " ")}</th>
          <td>{valueText(one.candidate, one.unit)}</td>
          <td>{valueText(one.baseline, one.unit)}</td>
          <td>{evidenceText(one.e_value)}</td>
        </tr>
      ))}
    </SidesTable>
  );
}
