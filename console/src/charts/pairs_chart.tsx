import { type ScaleLinear, scaleLinear } from "d3-scale";
import type { ShownPair } from "../../../src/service/endpoints/shadow_pair_schemas.ts";
import { ValueAxis } from "./axes.tsx";
import { type Plot, PlotFrame } from "./plot_frame.tsx";

/** A pair with a number on each side: a score where both gave one, else the prediction itself. */
export interface PlacedPair {
  pair: ShownPair;
  production: number;
  shadow: number;
}

interface Props {
  pairs: PlacedPair[];
  chosen: ShownPair | null;
  onChoose: (pair: ShownPair) => void;
}

const RADIUS = 3.5;
const NEAR = 12;

/** Each request as a point: production's answer to the right, the shadow's upwards. On the line both say the same. */
export function PairsChart({ pairs, chosen, onChoose }: Props) {
  const values = pairs.flatMap(({ production, shadow }) => [production, shadow]);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = most === least ? Math.max(1, Math.abs(most)) / 2 : (most - least) / 20;
  const apart = pairs.filter(({ pair }) => !pair.agrees).length;
  const label = `${pairs.length} requests that both answered; ${apart} of them differently. Production from left to right, the shadow from below upwards.`;
  return (
    <PlotFrame height={260} label={label}>
      {(plot) => {
        const x = scaleLinear([least - room, most + room], [plot.left, plot.right]);
        const y = scaleLinear([least - room, most + room], [plot.bottom, plot.top]);
        const chooseNear = (event: MouseEvent) => {
          const found = nearest(pairs, (one) =>
            Math.hypot(x(one.production) - event.offsetX, y(one.shadow) - event.offsetY),
          );
          if (found !== null) onChoose(found.pair);
        };
        return (
          <g onClick={chooseNear}>
            <Ground plot={plot} />
            <ValueAxis plot={plot} y={y} ticks={y.ticks(4)} format={y.tickFormat(4)} />
            <line
              class="same-line"
              x1={x(least - room)}
              y1={y(least - room)}
              x2={x(most + room)}
              y2={y(most + room)}
            />
            {pairs.map((one) => (
              <Point
                key={one.pair.request_id}
                isChosen={chosen === one.pair}
                isApart={!one.pair.agrees}
                cx={x(one.production)}
                cy={y(one.shadow)}
              />
            ))}
            <Ticks x={x} bottom={plot.bottom} />
          </g>
        );
      }}
    </PlotFrame>
  );
}

/** Takes clicks between the points. */
function Ground({ plot: { left, right, top, bottom } }: { plot: Plot }) {
  return <rect class="plot-ground" x={left} y={top} width={right - left} height={bottom - top} />;
}

function Ticks({ x, bottom }: { x: ScaleLinear<number, number>; bottom: number }) {
  return (
    <>
      {x.ticks(4).map((tick) => (
        <text key={tick} class="pair-tick" x={x(tick)} y={bottom + 16} text-anchor="middle">
          {x.tickFormat(4)(tick)}
        </text>
      ))}
    </>
  );
}

interface PointProps {
  isChosen: boolean;
  isApart: boolean;
  cx: number;
  cy: number;
}

function Point({ isChosen, isApart, cx, cy }: PointProps) {
  const kind = `pair ${isApart ? "pair-apart" : ""} ${isChosen ? "pair-chosen" : ""}`;
  return <circle class={kind} cx={cx} cy={cy} r={isChosen ? 2 * RADIUS : RADIUS} />;
}

function nearest(pairs: PlacedPair[], distance: (one: PlacedPair) => number): PlacedPair | null {
  let best: { one: PlacedPair; at: number } | null = null;
  for (const one of pairs) {
    const at = distance(one);
    if (at <= NEAR && (best === null || at < best.at)) best = { one, at };
  }
  return best?.one ?? null;
}
