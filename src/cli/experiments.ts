import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Experiment } from "../agents/model_deployer/domain/entities.ts";
import { experimentIdSchema } from "../agents/model_deployer/domain/requests.ts";
import { InvalidRequestError } from "../agents/model_deployer/errors.ts";
import type { Execute } from "./program.ts";
import { policyLines } from "./policy.ts";
import { type Invocation, report, type Report } from "./runner.ts";
import { experimentReportSchema, experimentsReportSchema } from "./schemas.ts";
import { table } from "./table.ts";
import { requesterOf } from "./requester.ts";
import { unknownExperiment } from "./unknown_name.ts";

export function addExperiments(program: CommandUnknownOpts, execute: Execute): void {
  const experiments = program.command("experiments").description("experiments and their success criteria");
  experiments
    .command("create <experiment>")
    .description("create an experiment; the same again changes nothing")
    .requiredOption("--name <text>", "what people call it")
    .requiredOption("--target <name>", "what its models predict")
    .option("--minimum-auc <number>", "production needs at least this", Number)
    .option("--minimum-precision-at-k <number>", "production needs at least this", Number)
    .option("--maximum-fpr <number>", "production needs at most this", Number)
    .action((experiment, options) =>
      execute("experiments create", (invocation) => {
        const described: Experiment = {
          experiment_id: experiment,
          experiment_name: options.name,
          prediction_target: options.target,
          minimum_auc: options.minimumAuc ?? null,
          minimum_precision_at_k: options.minimumPrecisionAtK ?? null,
          maximum_fpr: options.maximumFpr ?? null,
        };
        return create(invocation, described);
      }),
    );
  experiments
    .command("show <experiment>")
    .description("an experiment with its criteria and gate policy")
    .action((experiment) => execute("experiments show", (invocation) => show(invocation, experiment)));
  experiments
    .command("list")
    .description("all experiments")
    .action(() => execute("experiments list", list));
}

function create(invocation: Invocation, experiment: Experiment): Promise<Report> {
  const id = experimentIdSchema.safeParse(experiment.experiment_id);
  if (!id.success) {
    const expected = id.error.issues.map((issue) => issue.message).join(", ");
    throw new InvalidRequestError(
      `${JSON.stringify(experiment.experiment_id)} is no experiment id: ${expected}.`,
    );
  }
  refuseCriteria(experiment);
  return invocation.withObserver(async ({ database }) => {
    await database.experiments.create(experiment, await requesterOf(invocation, database));
    return experimentReport(experiment, await database.experiments.getGatePolicy(experiment.experiment_id));
  });
}

/** The database has the same bounds; an AUC below 0.5 is worse than a coin. */
const BOUNDS = [
  ["--minimum-auc", "minimum_auc", 0.5, 1],
  ["--minimum-precision-at-k", "minimum_precision_at_k", 0, 1],
  ["--maximum-fpr", "maximum_fpr", 0, 1],
] as const;

function refuseCriteria(experiment: Experiment): void {
  const problems = BOUNDS.flatMap(([option, field, least, most]) => {
    const given = experiment[field];
    const isRight = given === null || (given >= least && given <= most);
    return isRight ? [] : [`${option} is ${given}: a number from ${least} to ${most}`];
  });
  if (problems.length === 0) return;
  throw new InvalidRequestError(`${problems.join("; ")}.`, { details: { problems } });
}

function show(invocation: Invocation, id: string): Promise<Report> {
  return invocation.withObserver(async ({ database }) => {
    const experiment = await database.experiments.get(id);
    if (experiment !== null)
      return experimentReport(experiment, await database.experiments.getGatePolicy(id));
    throw await unknownExperiment(id, database);
  });
}

function experimentReport(experiment: Experiment, policy: Parameters<typeof policyLines>[0]): Report {
  return report(experimentReportSchema, { experiment, gate_policy: policy }, (data, paint) => {
    const { experiment_id, experiment_name, prediction_target, ...criteria } = data.experiment;
    return [
      `${paint.bold(experiment_id)}  ${experiment_name}, predicts ${prediction_target}`,
      ...Object.entries(criteria).map(([name, value]) => `  ${name.padEnd(26)} ${value ?? "not set"}`),
      ...policyLines(data.gate_policy, paint),
    ];
  });
}

function list(invocation: Invocation): Promise<Report> {
  return invocation.withObserver(async ({ database }) =>
    report(experimentsReportSchema, { experiments: await database.overview.experiments() }, (data, paint) =>
      table(
        ["experiment", "name", "predicts"],
        data.experiments.map((one) => [one.experiment_id, one.experiment_name, one.prediction_target]),
        paint,
      ),
    ),
  );
}
