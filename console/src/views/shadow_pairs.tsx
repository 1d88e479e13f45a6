import { useSignal } from "@preact/signals";
import {
  type ShadowPairs as Report,
  shadowPairsSchema,
  type ShownPair,
} from "../../../src/service/endpoints/shadow_pair_schemas.ts";
import { ask } from "../api/client.ts";
import { PairsChart, type PlacedPair } from "../charts/pairs_chart.tsx";
import { useAsked } from "../parts/asked.ts";
import { useInterval } from "../parts/use_interval.ts";
import { ProblemNote } from "../parts/problems/problem_note.tsx";
import { percentText } from "../readable.ts";

const EVERY_MS = 10_000;
const MOST_SHOWN = 50;

/** The shadow's predictions beside production's on the same requests, and each request in which they differ. */
export function ShadowPairs({ endpoint }: { endpoint: string }) {
  const ticks = useInterval(EVERY_MS);
  const asked = useAsked(
    () => ask(shadowPairsSchema, `/v1/endpoints/${encodeURIComponent(endpoint)}/pairs`),
    [endpoint, ticks],
  );
  const report = asked.answer.value;
  return (
    <>
      <ProblemNote error={asked.error.value} />
      {report !== null && <Pairs report={report} />}
    </>
  );
}

function Pairs({ report: { pairs, compared } }: { report: Report }) {
  const chosen = useSignal<ShownPair | null>(null);
  const placed = pairs.flatMap(placedOf);
  const apart = pairs.filter(({ agrees }) => !agrees).reverse();
  const open = pairs.find(({ request_id }) => request_id === chosen.value?.request_id) ?? null;
  return (
    <>
      {compared !== null && (
        <p>
          {compared.disagreements} of {compared.pairs} pairs differ (
          {percentText(compared.pairs === 0 ? null : compared.disagreements / compared.pairs)})
          {compared.scored > 0 &&
            `; the shadow's score is higher in ${compared.higher} and lower in ${compared.lower}, by ${(compared.sum_difference / compared.scored).toPrecision(2)} on average`}
        </p>
      )}
      {placed.length > 0 && (
        <PairsChart pairs={placed} chosen={open} onChoose={(pair) => (chosen.value = pair)} />
      )}
      {placed.length > 0 && (
        <p class="quiet legend">to the right production, upwards the shadow; on the line both say the same</p>
      )}
      {pairs.length === 0 && <p class="quiet">No request was answered by both of late.</p>}
      {open !== null && <Opened pair={open} />}
      <Differing
        apart={apart}
        of={pairs.length}
        open={open}
        onOpen={(pair) => (chosen.value = pair === open ? null : pair)}
      />
    </>
  );
}

interface DifferingProps {
  apart: ShownPair[];
  /** How many pairs there are. */
  of: number;
  open: ShownPair | null;
  onOpen: (pair: ShownPair) => void;
}

function Differing({ apart, of, open, onOpen }: DifferingProps) {
  if (apart.length === 0) return null;
  return (
    <div class="scroll scroll-list" tabIndex={0} role="region" aria-label="requests in which they differ">
      <table class="sides">
        <caption class="quiet">
          the newest requests in which they differ, {apart.length} of {of}
        </caption>
        <thead>
          <tr>
            <th scope="col">request</th>
            <th scope="col">production</th>
            <th scope="col">shadow</th>
          </tr>
        </thead>
        <tbody>
          {apart.slice(0, MOST_SHOWN).map((pair) => (
            <tr key={pair.request_id} class={pair === open ? "row-chosen" : ""}>
              <th scope="row">
                <button
                  type="button"
                  class="button-quiet name"
                  aria-pressed={pair === open}
                  onClick={() => onOpen(pair)}
                >
                  {pair.request_id}
                </button>
              </th>
              <td>{valueText(pair.production, pair.production_score)}</td>
              <td>{valueText(pair.shadow, pair.shadow_score)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Opened({ pair }: { pair: ShownPair }) {
  return (
    <dl class="opened" aria-live="polite">
      <dt>request</dt>
      <dd class="name">{pair.request_id}</dd>
      {pair.answered_at !== null && (
        <>
          <dt>answered</dt>
          <dd>{pair.answered_at}</dd>
        </>
      )}
      <dt>production</dt>
      <dd>
        <code>{JSON.stringify(pair.production)}</code> {scoreText(pair.production_score)}
      </dd>
      <dt>shadow</dt>
      <dd>
        <code>{JSON.stringify(pair.shadow)}</code> {scoreText(pair.shadow_score)}
      </dd>
    </dl>
  );
}

const scoreText = (score: number | null): string => (score === null ? "" : `score ${score.toPrecision(4)}`);

function valueText(value: unknown, score: number | null): string {
  const said = typeof value === "string" ? value : JSON.stringify(value);
  const short = said.length > 40 ? `${said.slice(0, 39)}…` : said;
  return score === null ? short : `${short} (${score.toPrecision(3)})`;
}

function placedOf(pair: ShownPair): PlacedPair[] {
  const { production_score, shadow_score } = pair;
  if (production_score !== null && shadow_score !== null) {
    return [{ pair, production: production_score, shadow: shadow_score }];
  }
  const [production, shadow] = [numberIn(pair.production), numberIn(pair.shadow)];
  return production === null || shadow === null ? [] : [{ pair, production, shadow }];
}

/** A number, alone or in a list of one. */
function numberIn(value: unknown): number | null {
  const one: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
  return typeof one === "number" ? one : null;
}
