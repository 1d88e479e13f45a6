import type { EndpointView } from "../api/answer_schemas.ts";
import { colourOfVersion } from "../charts/weight_bands.ts";

type Served = EndpointView["traffic"][number];

/** Who has how much of the traffic now. */
export function TrafficBar({ traffic }: { traffic: readonly Served[] }) {
  if (traffic.length === 0) return <span class="quiet">no version has traffic</span>;
  return (
    <div class="traffic">
      <div class="traffic-bar" aria-hidden="true">
        {traffic.map((one) => (
          <span
            key={one.deployment_id}
            class={`share ${colourOfVersion(one.version)}`}
            style={{ flexGrow: one.weight }}
          />
        ))}
      </div>
      <ul class="traffic-names">
        {traffic.map((one) => (
          <li key={one.deployment_id}>
            <span class={`swatch ${colourOfVersion(one.version)}`} aria-hidden="true" /> v{one.version}{" "}
            <strong>{one.weight} %</strong>
            {one.role !== "serving" && <span class="quiet"> {one.role}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}
