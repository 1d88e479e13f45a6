import type { EndpointView } from "../api/answer_schemas.ts";
import { LatencyChart } from "../charts/latency_chart.tsx";
import { colourOfVersion } from "../charts/weight_bands.ts";
import { now } from "../live_clock.ts";
import { SidesTable } from "../parts/sides_table.tsx";
import { millisecondsText, percentText, rateText } from "../readable.ts";
import { samplesOf } from "../store.ts";

interface Served {
  id: string;
  name: string;
  colour: string;
  role: string;
}

/** Whoever has traffic, and the shadow. */
function servedOf({ traffic, mirror }: EndpointView): Served[] {
  const shadow = mirror === null ? [] : [{ ...mirror, role: "shadow" }];
  return [...traffic, ...shadow].map(({ deployment_id: id, version, role }) => ({
    id,
    name: `v${version}`,
    colour: colourOfVersion(version),
    role,
  }));
}

/** Each deployment's figures side by side, and their latency since the page was opened. */
export function Latencies({ endpoint }: { endpoint: EndpointView }) {
  const served = servedOf(endpoint);
  if (served.length === 0) return null;
  return (
    <section class={endpoint.mirror === null ? "panel panel-wide" : "panel"} aria-labelledby="latency-title">
      <div class="panel-head">
        <h2 id="latency-title">Latency, p50 to p99</h2>
        <span class="quiet">since this page was opened</span>
      </div>
      <LatencyChart
        until={now.value}
        sides={served.map(({ id, name, colour }) => ({ name, colour, samples: samplesOf(id) }))}
      />
      <FiguresOf served={served} figures={endpoint.figures_by_deployment} />
    </section>
  );
}

interface FiguresProps {
  served: Served[];
  figures: EndpointView["figures_by_deployment"];
}

function FiguresOf({ served, figures }: FiguresProps) {
  return (
    <SidesTable label="figures by version" columns={["version", "requests/s", "errors", "p50", "p99"]}>
      {served.map(({ id, name, role, colour }) => {
        const own = figures[id];
        return (
          <tr key={id}>
            <th scope="row">
              <span class={`swatch ${colour}`} aria-hidden="true" /> {name} <span class="quiet">{role}</span>
            </th>
            <td>{own === undefined ? "–" : rateText(own.requests_per_second)}</td>
            <td>{percentText(own?.error_share ?? null)}</td>
            <td>{millisecondsText(own?.p50_ms ?? null)}</td>
            <td>{millisecondsText(own?.p99_ms ?? null)}</td>
          </tr>
        );
      })}
    </SidesTable>
  );
}
