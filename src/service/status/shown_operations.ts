import type { DeployerDatabase } from "../../database/index.ts";
import type { OpenOperation } from "../../database/repositories/reading/overview.ts";
import { subjectOfOperation } from "../operations/operation_reports.ts";

/** Those that are about an experiment which is shown. */
export async function shownOperations(
  operations: readonly OpenOperation[],
  database: DeployerDatabase,
  sees: (experimentId: string) => boolean,
): Promise<OpenOperation[]> {
  const seen = await Promise.all(
    operations.map(async (one) => {
      const operation = await database.operations.get(one.operation_id);
      const subject = operation === null ? null : await subjectOfOperation(operation, database);
      const experiment = subject?.experiment_id ?? null;
      return experiment !== null && sees(experiment);
    }),
  );
  return operations.filter((_, index) => seen[index]);
}
