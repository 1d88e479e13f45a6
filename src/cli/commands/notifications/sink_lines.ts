import type { z } from "zod";
import type { sinksReportSchema } from "../../../service/notifications/sink_schemas.ts";
import { table } from "../../output/terminal/table.ts";
import type { Paint } from "../../output/terminal/terminal.ts";

const allIfNone = (list: readonly string[]): string => (list.length === 0 ? "all" : list.join(", "));

export function sinkLines({ sinks }: z.infer<typeof sinksReportSchema>, paint: Paint): string[] {
  const lines = table(
    ["sink", "kind", "to", "told of", "experiments", "waiting", "set aside", "last delivered"],
    sinks.map((one) => [
      one.sink_name,
      one.kind,
      one.to,
      allIfNone(one.kinds),
      allIfNone(one.experiment_ids),
      String(one.waiting),
      String(one.set_aside),
      one.last_delivered_at ?? "never",
    ]),
    paint,
  );
  const failing = sinks.filter(({ failing_since }) => failing_since !== null);
  return [
    ...lines,
    ...failing.map((one) =>
      paint.red(
        `${one.sink_name} fails since ${one.failing_since}, ${one.failures} times: ${one.last_error}`,
      ),
    ),
    ...sinks
      .filter(({ set_aside }) => set_aside > 0)
      .map(({ sink_name, set_aside }) =>
        paint.yellow(
          `${sink_name} has refused ${set_aside}, which wait: model-deployer notifications retry ${sink_name}`,
        ),
      ),
  ];
}
