import { type Criterion, criterionSchema } from "../../../agents/model_deployer/domain/entities.ts";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";

/** `rmse<=0.3` and `auc>=0.8`. @throws InvalidRequestError that names each that is no bound */
export function criteriaOf(given: readonly string[]): Criterion[] {
  const criteria = given.map(criterionOf);
  const metrics = criteria.map(({ metric }) => metric);
  const twice = metrics.find((metric, index) => metrics.indexOf(metric) !== index);
  if (twice === undefined) return criteria;
  throw new InvalidRequestError(`--criterion names ${twice} twice; give each metric one bound.`);
}

function criterionOf(given: string): Criterion {
  const [, metric = "", sign = "", bound = ""] = /^\s*(.+?)\s*(<=|>=)\s*(\S+)\s*$/.exec(given) ?? [];
  const direction = sign === ">=" ? "at_least" : "at_most";
  const parsed = criterionSchema.safeParse({ metric, bound: bound === "" ? NaN : Number(bound), direction });
  if (parsed.success) return parsed.data;
  const [first] = parsed.error.issues;
  if (metric !== "" && parsed.error.issues.length === 1 && first?.path[0] === "metric") {
    throw new InvalidRequestError(`--criterion names ${JSON.stringify(metric)}; give ${first.message}.`);
  }
  throw new InvalidRequestError(
    `--criterion ${JSON.stringify(given)} is no bound: write <metric><=<number> or <metric>>=<number>, such as "rmse<=0.3".`,
  );
}

export const criterionText = ({ bound, direction }: Criterion): string =>
  `${direction === "at_least" ? "at least" : "at most"} ${bound}`;
