import type { EndpointView } from "../api/answer_schemas.ts";
import { millisecondsText, percentText, rateText } from "../readable.ts";
import { waiting } from "../store.ts";
import { EvidenceTable } from "../parts/decisions/evidence_table.tsx";
import { ShadowPairs } from "./shadow_pairs.tsx";

/** The mirrored version's answers, and what it has shown where a promotion waits on it. */
export function ShadowPanel({ endpoint }: { endpoint: EndpointView }) {
  const { mirror, figures_by_deployment: figures, experiment_id } = endpoint;
  if (mirror === null) return null;
  const own = figures[mirror.deployment_id];
  const asked = waiting.value.find(
    (one) =>
      one.experiment_id === experiment_id && one.request["model_version_id"] === mirror.model_version_id,
  );
  const rows = (asked?.decision ?? []).filter(({ group }) => group === "shadow");
  return (
    <section class="panel" aria-labelledby="shadow-title">
      <div class="panel-head">
        <h2 id="shadow-title">
          Shadow: {mirror.model_name} v{mirror.version}
        </h2>
        <span class="quiet">gets a copy of each request; nobody sees its answers</span>
      </div>
      <dl class="figures">
        <div>
          <dt>requests/s</dt>
          <dd>{own === undefined ? "–" : rateText(own.requests_per_second)}</dd>
        </div>
        <div>
          <dt>errors</dt>
          <dd>{percentText(own?.error_share ?? null)}</dd>
        </div>
        <div>
          <dt>p50</dt>
          <dd>{millisecondsText(own?.p50_ms ?? null)}</dd>
        </div>
        <div>
          <dt>p99</dt>
          <dd>{millisecondsText(own?.p99_ms ?? null)}</dd>
        </div>
      </dl>
      {rows.length > 0 && <EvidenceTable rows={rows} />}
      <ShadowPairs endpoint={endpoint.endpoint_name} />
    </section>
  );
}
