import { scaleLinear, scaleTime } from "d3-scale";
import { area, line } from "d3-shape";
import { millisecondsText } from "../readable.ts";
import { TimeAxis, ValueAxis } from "./axes.tsx";
import { PlotFrame } from "./plot_frame.tsx";

export interface LatencySample {
  at: number;
  p50: number | null;
  p99: number | null;
}

export interface LatencySide {
  name: string;
  /** Class of its colour. */
  colour: string;
  samples: readonly LatencySample[];
}

interface Known {
  at: number;
  p50: number;
  p99: number;
}

/** For each side a band from its p50 to its p99, as this page has seen them. */
export function LatencyChart({ sides, until }: { sides: LatencySide[]; until: number }) {
  const known = sides.map((side) => ({ ...side, samples: side.samples.filter(isKnown) }));
  const label = `Latency since this page was opened. ${known.map(sentenceOf).join(" ")}`;
  const first = Math.min(until - 30_000, ...known.flatMap(({ samples }) => samples.map(({ at }) => at)));
  const highest = Math.max(10, ...known.flatMap(({ samples }) => samples.map(({ p99 }) => p99)));
  return (
    <PlotFrame height={170} label={label}>
      {(plot) => {
        const x = scaleTime([first, until], [plot.left, plot.right]);
        const y = scaleLinear([0, highest], [plot.bottom, plot.top]).nice(3);
        const band = area<Known>()
          .x(({ at }) => x(at))
          .y0(({ p50 }) => y(p50))
          .y1(({ p99 }) => y(p99));
        const middle = line<Known>()
          .x(({ at }) => x(at))
          .y(({ p50 }) => y(p50));
        return (
          <>
            <ValueAxis
              plot={plot}
              y={y}
              ticks={y.ticks(3)}
              format={(value) => (value === 0 ? "0" : millisecondsText(value))}
            />
            {known.map(({ name, colour, samples }) => (
              <g key={name} class={colour}>
                <path class="latency-band" d={band(samples) ?? ""} />
                <path class="latency-middle" d={middle(samples) ?? ""} />
                {samples.slice(-1).map(({ at, p50, p99 }) => (
                  <line key={at} class="latency-now" x1={x(at)} x2={x(at)} y1={y(p50)} y2={y(p99)} />
                ))}
              </g>
            ))}
            <TimeAxis plot={plot} x={x} />
          </>
        );
      }}
    </PlotFrame>
  );
}

const isKnown = (sample: LatencySample): sample is Known => sample.p50 !== null && sample.p99 !== null;

function sentenceOf({ name, samples }: { name: string; samples: readonly Known[] }): string {
  const last = samples.at(-1);
  if (last === undefined) return `${name}: no figures yet.`;
  return `${name}: p50 ${millisecondsText(last.p50)}, p99 ${millisecondsText(last.p99)}.`;
}
