import type { AcknowledgedChange } from "../api/answer_schemas.ts";
import { today } from "../live_clock.ts";
import { colourOf } from "../charts/weight_bands.ts";
import { figuresText, instantText, reasonText } from "../readable.ts";

interface Props {
  changes: readonly AcknowledgedChange[];
  /** Of versions, by id. */
  names: Record<string, string>;
  /** Of deployments, by id. */
  served: Record<string, string>;
  chosen: AcknowledgedChange | null;
  onChoose: (change: AcknowledgedChange | null) => void;
}

const SHOWN = 8;

/** Each change of the traffic with who, why and the figures of its moment, the newest first. */
export function ChangeList({ changes, names, served, chosen, onChoose }: Props) {
  const newest = changes.slice(-SHOWN).reverse();
  const shown = chosen === null || newest.includes(chosen) ? newest : [chosen, ...newest];
  return (
    <ol class="changes">
      {shown.map((change) => (
        <li
          key={change.generation}
          class={change === chosen ? "change change-chosen" : "change"}
          onPointerEnter={() => onChoose(change)}
          onPointerLeave={() => onChoose(null)}
        >
          <time dateTime={change.occurred_at}>{instantText(change.occurred_at, today.value)}</time>
          <WeightsText weights={change.version_weights} names={names} />
          <span class="why" title={change.reason}>
            {reasonText(change.reason, { ...names, ...served })}{" "}
            <span class="quiet">by {change.changed_by}</span>
          </span>
          {figuresText(change.metrics) !== null && (
            <span class="quiet figures-text">{figuresText(change.metrics)}</span>
          )}
        </li>
      ))}
    </ol>
  );
}

export function WeightsText({
  weights,
  names,
}: {
  weights: Record<string, number>;
  names: Record<string, string>;
}) {
  const shares = Object.entries(weights).filter(([, weight]) => weight > 0);
  if (shares.length === 0) return <span class="quiet">no traffic</span>;
  return (
    <span class="shares">
      {shares.map(([version, weight]) => (
        <span key={version} class="share-text">
          <span class={`swatch ${colourOf(names[version] ?? "")}`} aria-hidden="true" />
          {names[version] ?? version} <strong>{weight} %</strong>
        </span>
      ))}
    </span>
  );
}
