import { scaleLinear, scaleTime } from "d3-scale";
import { area, curveStepAfter } from "d3-shape";
import { TimeAxis, ValueAxis } from "./axes.tsx";
import { type Plot, PlotFrame } from "./plot_frame.tsx";
import { bandsOf, colourOf, type WeightChange } from "./weight_bands.ts";

interface Props<T extends WeightChange> {
  changes: readonly T[];
  /** Names by version id, in the order in which the versions came. */
  names: Record<string, string>;
  since: number;
  until: number;
  /** The change that is looked at. */
  chosen: T | null;
  onChoose: (change: T | null) => void;
  /** The moment that a timeline stands at. */
  cursor?: number | null;
}

const HEIGHT = 190;
const NEAR_PIXELS = 24;

/** Who had how much of the traffic, a band for each version, with a mark at each change. */
export function WeightsChart<T extends WeightChange>(props: Props<T>) {
  const { changes, names, since, until, chosen, onChoose, cursor = null } = props;
  let toChange: (x: number) => T | null = () => null;
  return (
    <PlotFrame
      height={HEIGHT}
      label={labelOf(changes, names)}
      onPoint={(x) => onChoose(x === null ? null : toChange(x))}
    >
      {(plot) => {
        const x = scaleTime([since, until], [plot.left, plot.right]);
        const y = scaleLinear([0, 100], [plot.bottom, plot.top]);
        toChange = (at) => nearest(changes, (change) => Math.abs(x(Date.parse(change.occurred_at)) - at));
        const shape = area<{ at: number; from: number; to: number }>()
          .curve(curveStepAfter)
          .x((edge) => x(Math.max(since, edge.at)))
          .y0((edge) => y(edge.from))
          .y1((edge) => y(edge.to));
        return (
          <>
            <ValueAxis plot={plot} y={y} ticks={[0, 50, 100]} format={(value) => `${value} %`} />
            {bandsOf(changes, until).map((band) => (
              <path
                key={band.version}
                class={`band ${colourOf(names[band.version] ?? "")}`}
                d={shape(band.edges) ?? ""}
              />
            ))}
            <Marks
              plot={plot}
              xs={changes.map((one) => x(Date.parse(one.occurred_at)))}
              chosen={chosen === null ? -1 : changes.indexOf(chosen)}
            />
            {cursor !== null && (
              <line class="cursor" x1={x(cursor)} x2={x(cursor)} y1={plot.top} y2={plot.bottom} />
            )}
            <TimeAxis plot={plot} x={x} />
          </>
        );
      }}
    </PlotFrame>
  );
}

function Marks({ plot, xs, chosen }: { plot: Plot; xs: number[]; chosen: number }) {
  return (
    <g>
      {xs.map((x, index) =>
        x < plot.left - 1 ? null : (
          <g key={index} class={index === chosen ? "mark mark-chosen" : "mark"}>
            <line x1={x} x2={x} y1={plot.top} y2={plot.bottom} />
            <circle cx={x} cy={plot.top} r={index === chosen ? 5 : 3.5} />
          </g>
        ),
      )}
    </g>
  );
}

function nearest<T>(all: readonly T[], distance: (one: T) => number): T | null {
  const [best] = all
    .map((one) => ({ one, away: distance(one) }))
    .filter(({ away }) => away <= NEAR_PIXELS)
    .sort((a, b) => a.away - b.away);
  return best?.one ?? null;
}

function labelOf(changes: readonly WeightChange[], names: Record<string, string>): string {
  const last = changes.at(-1);
  const now = Object.entries(last?.version_weights ?? {})
    .filter(([, weight]) => weight > 0)
    .map(([version, weight]) => `${names[version] ?? version} ${weight} %`)
    .join(", ");
  return `Traffic over time, ${changes.length} changes. Now: ${now === "" ? "none" : now}.`;
}
