import { scaleLinear, scaleLog, scaleTime } from "d3-scale";
import { curveStepAfter, line } from "d3-shape";
import type { Look, LooksReport } from "../api/answer_schemas.ts";
import { evidenceText, percentText } from "../readable.ts";
import { TimeAxis, ValueAxis } from "./axes.tsx";
import { type Plot, PlotFrame } from "./plot_frame.tsx";

interface Props {
  report: LooksReport;
  until: number;
}

const HEIGHT = 190;
const LOWEST = 0.05;

/** The evidence against the candidate, look by look, below the threshold at which it fails; log scale. */
export function EvidenceChart({ report, until }: Props) {
  const { looks, threshold } = report;
  const last = looks.at(-1)?.verdict.e_value ?? null;
  const label = `Evidence against the candidate over ${looks.length} looks, now ${evidenceText(last)}; at ${threshold} it fails.`;
  return (
    <PlotFrame height={HEIGHT} label={label}>
      {(plot) => {
        const x = timeScale(looks, until, plot);
        const highest = Math.max(threshold * 4, ...looks.map(({ verdict }) => verdict.e_value ?? 0));
        const y = scaleLog([LOWEST, highest], [plot.bottom, plot.top]).clamp(true);
        const ticks = [0.1, 1, 10, 100, 1000, 10_000].filter((tick) => tick < highest);
        const curve = line<Look>()
          .defined(({ verdict }) => verdict.e_value !== null)
          .curve(curveStepAfter)
          .x((look) => x(Date.parse(look.looked_at)))
          .y((look) => y(Math.max(LOWEST, look.verdict.e_value ?? LOWEST)));
        return (
          <>
            <ValueAxis plot={plot} y={y} ticks={ticks} format={String} />
            <Zone kind="fail" plot={plot} from={plot.top} to={Math.max(plot.top, y(threshold))} />
            <Challenges looks={looks} x={x} plot={plot} />
            <Threshold plot={plot} at={y(threshold)} words={`fails at ${threshold}`} />
            <path class="curve curve-evidence" d={curve(held(looks, until)) ?? ""} />
            <Outcomes looks={looks} x={x} y={(look) => y(Math.max(LOWEST, look.verdict.e_value ?? LOWEST))} />
            <TimeAxis plot={plot} x={x} />
          </>
        );
      }}
    </PlotFrame>
  );
}

/** How much worse the candidate can be at most, beside the margin that all traffic asks for. */
export function BoundChart({ report, until }: Props) {
  const { looks, margin } = report;
  const known = looks.filter(({ verdict }) => verdict.worse_by_at_most !== null);
  const last = known.at(-1)?.verdict.worse_by_at_most ?? null;
  const label = `The candidate is worse by at most ${percentText(last)}; all traffic asks for ${percentText(margin)}.`;
  return (
    <PlotFrame height={HEIGHT} label={label}>
      {(plot) => {
        const x = timeScale(looks, until, plot);
        const highest = Math.max(margin * 2, ...known.map(({ verdict }) => verdict.worse_by_at_most ?? 0));
        const y = scaleLinear([0, highest], [plot.bottom, plot.top]);
        const curve = line<Look>()
          .curve(curveStepAfter)
          .x((look) => x(Date.parse(look.looked_at)))
          .y((look) => y(look.verdict.worse_by_at_most ?? 0));
        return (
          <>
            <ValueAxis
              plot={plot}
              y={y}
              ticks={[0, highest / 2, highest]}
              format={(value) => percentText(value, 0)}
            />
            <Zone kind="pass" plot={plot} from={y(margin)} to={plot.bottom} />
            <Threshold plot={plot} at={y(margin)} words={`passes at ${percentText(margin)}`} isPass />
            <path class="curve curve-bound" d={curve(held(known, until)) ?? ""} />
            <TimeAxis plot={plot} x={x} />
          </>
        );
      }}
    </PlotFrame>
  );
}

interface ZoneProps {
  kind: "fail" | "pass";
  plot: Plot;
  from: number;
  to: number;
}

function Zone({ kind, plot, from, to }: ZoneProps) {
  return (
    <rect class={`zone-${kind}`} x={plot.left} y={from} width={plot.right - plot.left} height={to - from} />
  );
}

interface ThresholdProps {
  plot: Plot;
  at: number;
  words: string;
  isPass?: boolean;
}

function Threshold({ plot, at, words, isPass = false }: ThresholdProps) {
  const kind = isPass ? "threshold threshold-pass" : "threshold";
  return (
    <>
      <line class={kind} x1={plot.left} x2={plot.right} y1={at} y2={at} />
      <text class="threshold-text" x={plot.right - 4} y={at - 5} text-anchor="end">
        {words}
      </text>
    </>
  );
}

function timeScale(looks: readonly Look[], until: number, plot: Plot) {
  const first = looks[0] === undefined ? until - 60_000 : Date.parse(looks[0].looked_at);
  return scaleTime([first, Math.max(until, first + 10_000)], [plot.left, plot.right]);
}

/** The last look holds until now, while the rollout is open. */
function held(looks: readonly Look[], until: number): Look[] {
  const last = looks.at(-1);
  const isOpen = last !== undefined && (last.status === "running" || last.status === "paused");
  return isOpen ? [...looks, { ...last, looked_at: new Date(until).toISOString() }] : [...looks];
}

function Challenges({ looks, x, plot }: { looks: readonly Look[]; x: (at: number) => number; plot: Plot }) {
  return (
    <g>
      {looks.map((look, index) => {
        if (!look.challenged) return null;
        const from = x(Date.parse(look.looked_at));
        const to = x(Date.parse(looks[index + 1]?.looked_at ?? look.looked_at));
        return (
          <rect
            key={look.looked_at}
            class="zone-challenge"
            x={from}
            y={plot.top}
            width={Math.max(2, to - from)}
            height={plot.bottom - plot.top}
          >
            <title>a challenge: the baseline has a share back</title>
          </rect>
        );
      })}
    </g>
  );
}

interface OutcomesProps {
  looks: readonly Look[];
  x: (at: number) => number;
  y: (look: Look) => number;
}

/** A dot where the verdict changed. */
function Outcomes({ looks, x, y }: OutcomesProps) {
  const changes = looks.filter(({ verdict }, index) => verdict.outcome !== looks[index - 1]?.verdict.outcome);
  return (
    <g>
      {changes.map((look) => (
        <circle
          key={look.looked_at}
          class={`outcome outcome-${look.verdict.outcome}`}
          cx={x(Date.parse(look.looked_at))}
          cy={y(look)}
          r={4.5}
        >
          <title>{`${look.verdict.outcome}: ${look.verdict.reason}`}</title>
        </circle>
      ))}
    </g>
  );
}
