import type { EndpointView } from "../api/answer_schemas.ts";
import { LatencyChart } from "../charts/latency_chart.tsx";
import { colourOfVersion } from "../charts/weight_bands.ts";
import { now } from "../live_clock.ts";
import { millisecondsText, percentText, rateText } from "../readable.ts";
import { samplesOf } from "../store.ts";

/** Each deployment's figures side by side, and their latency since the page was opened. */
export function Latencies({ endpoint }: { endpoint: EndpointView }) {
  const { traffic, mirror, figures_by_deployment: figures } = endpoint;
  const served = [
    ...traffic.map((one) => ({
      id: one.deployment_id,
      name: `v${one.version}`,
      colour: colourOfVersion(one.version),
      role: one.role,
    })),
    ...(mirror === null
      ? []
      : [
          {
            id: mirror.deployment_id,
            name: `v${mirror.version}`,
            colour: colourOfVersion(mirror.version),
            role: "shadow" as const,
          },
        ]),
  ];
  if (served.length === 0) return null;
  return (
    <section class={mirror === null ? "panel panel-wide" : "panel"} aria-labelledby="latency-title">
      <div class="panel-head">
        <h2 id="latency-title">Latency, p50 to p99</h2>
        <span class="quiet">since this page was opened</span>
      </div>
      <LatencyChart
        until={now.value}
        sides={served.map(({ id, name, colour }) => ({ name, colour, samples: samplesOf(id) }))}
      />
      <div class="scroll" tabIndex={0} role="region" aria-label="figures by version">
        <table class="sides">
          <thead>
            <tr>
              <th scope="col">version</th>
              <th scope="col">requests/s</th>
              <th scope="col">errors</th>
              <th scope="col">p50</th>
              <th scope="col">p99</th>
            </tr>
          </thead>
          <tbody>
            {served.map(({ id, name, role, colour }) => {
              const own = figures[id];
              return (
                <tr key={id}>
                  <th scope="row">
                    <span class={`swatch ${colour}`} aria-hidden="true" /> {name}{" "}
                    <span class="quiet">{role}</span>
                  </th>
                  <td>{own === undefined ? "–" : rateText(own.requests_per_second)}</td>
                  <td>{percentText(own?.error_share ?? null)}</td>
                  <td>{millisecondsText(own?.p50_ms ?? null)}</td>
                  <td>{millisecondsText(own?.p99_ms ?? null)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}
