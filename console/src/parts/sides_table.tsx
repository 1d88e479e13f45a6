import type { ComponentChildren } from "preact";

interface Props {
  /** The table in words, for whoever does not see it. */
  label: string;
  columns: readonly string[];
  children: ComponentChildren;
}

/** Figures of several versions, a column each or a row each. */
export function SidesTable({ label, columns, children }: Props) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      <table class="sides">
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
