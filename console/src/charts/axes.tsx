import type { ScaleContinuousNumeric, ScaleTime } from "d3-scale";
import { tickText } from "../readable.ts";
import type { Plot } from "./plot_frame.tsx";

const PIXELS_A_TICK = 90;

export function TimeAxis({ plot, x }: { plot: Plot; x: ScaleTime<number, number> }) {
  const ticks = x.ticks(Math.max(2, Math.floor((plot.right - plot.left) / PIXELS_A_TICK)));
  const [first, second] = ticks;
  const distance = first === undefined || second === undefined ? 0 : +second - +first;
  return (
    <g class="axis">
      <line x1={plot.left} x2={plot.right} y1={plot.bottom} y2={plot.bottom} />
      {ticks.map((tick) => (
        <text key={+tick} x={x(tick)} y={plot.bottom + 16} text-anchor="middle">
          {tickText(tick, distance)}
        </text>
      ))}
    </g>
  );
}

interface ValueAxisProps {
  plot: Plot;
  y: ScaleContinuousNumeric<number, number>;
  ticks: number[];
  format: (value: number) => string;
}

export function ValueAxis({ plot, y, ticks, format }: ValueAxisProps) {
  return (
    <g class="axis">
      {ticks.map((tick) => (
        <g key={tick}>
          <line class="grid" x1={plot.left} x2={plot.right} y1={y(tick)} y2={y(tick)} />
          <text x={plot.left - 8} y={y(tick)} text-anchor="end" dominant-baseline="middle">
            {format(tick)}
          </text>
        </g>
      ))}
    </g>
  );
}
