import type { DecisionRow } from "../../../../src/agents/model_deployer/planning/approval/decision_row.ts";
import { unbroken } from "../../readable.ts";

const SIGNS = { true: ["✓", "met"], false: ["✗", "not met"] } as const;

/** The figures that an approver decides by, each beside its bound and beside production's. */
export function EvidenceTable({ rows }: { rows: readonly DecisionRow[] }) {
  if (rows.length === 0) return <p class="quiet">This plan rests on no figures.</p>;
  const groups = [...new Set(rows.map(({ group }) => group))];
  const compares = rows.some(({ production }) => production !== null);
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="evidence">
      <table class="evidence">
        <thead>
          <tr>
            <th scope="col">evidence</th>
            <th scope="col">this version</th>
            <th scope="col">asked for</th>
            {compares && <th scope="col">in production</th>}
          </tr>
        </thead>
        {groups.map((group) => (
          <tbody key={group}>
            <tr class="group">
              <th scope="rowgroup" colSpan={compares ? 4 : 3}>
                {group}
              </th>
            </tr>
            {rows
              .filter((row) => row.group === group)
              .map((row) => (
                <Row key={row.what} row={row} compares={compares} />
              ))}
          </tbody>
        ))}
      </table>
    </div>
  );
}

function Row({ row, compares }: { row: DecisionRow; compares: boolean }) {
  return (
    <tr class={row.met === false ? "unmet" : ""}>
      <th scope="row">{row.what}</th>
      <td>
        <Met met={row.met} /> {unbroken(row.candidate)}
      </td>
      <td>
        <Known text={row.required} />
      </td>
      {compares && (
        <td>
          <Known text={row.production} />
        </td>
      )}
    </tr>
  );
}

const Known = ({ text }: { text: string | null }) =>
  text === null ? <span class="quiet">–</span> : <>{unbroken(text)}</>;

function Met({ met }: { met: boolean | null }) {
  if (met === null) return null;
  const [sign, word] = SIGNS[`${met}`];
  return (
    <span class={met ? "met" : "not-met"} role="img" aria-label={word}>
      {sign}
    </span>
  );
}
