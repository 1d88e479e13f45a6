import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Criterion, Experiment } from "../../../agents/model_deployer/domain/entities.ts";
import { experimentIdSchema } from "../../../agents/model_deployer/domain/values/requested_values.ts";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";
import type { Execute } from "../../invocation/execute.ts";
import { policyLines } from "./shown_policy.ts";
import type { RemoteApi } from "../../remote/remote_api.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { experimentReportSchema, experimentsReportSchema } from "../../../service/policies/policy_schemas.ts";
import { table } from "../../output/terminal/table.ts";
import { authorizedActor } from "../../invocation/requester.ts";
import { criteriaOf, criterionText } from "./criteria_options.ts";
import { unknownExperiment } from "../../../service/problems/unknown_name.ts";
import { plainNumber } from "../../number_options.ts";

export function addExperiments(program: CommandUnknownOpts, execute: Execute): void {
  const experiments = program.command("experiments").description("experiments and their success criteria");
  experiments
    .command("create <experiment>")
    .description("create an experiment; the same again changes nothing")
    .requiredOption("--name <text>", "what people call it")
    .requiredOption("--target <name>", "what its models predict")
    .option("--minimum-auc <number>", "production needs at least this", plainNumber)
    .option("--minimum-precision-at-k <number>", "production needs at least this", plainNumber)
    .option("--maximum-fpr <number>", "production needs at most this", plainNumber)
    .option("--criterion <bound...>", 'a bound on any metric of the run, such as "rmse<=0.3" or "auc>=0.8"')
    .action((experiment, options) =>
      execute("experiments create", (invocation) => {
        const described: Experiment = {
          experiment_id: experiment,
          experiment_name: options.name,
          prediction_target: options.target,
          minimum_auc: options.minimumAuc ?? null,
          minimum_precision_at_k: options.minimumPrecisionAtK ?? null,
          maximum_fpr: options.maximumFpr ?? null,
          ...(options.criterion && { criteria: criteriaOf(options.criterion) }),
        };
        return create(invocation, described);
      }),
    );
  experiments
    .command("set <experiment>")
    .description(
      "set the bounds on metrics in the place of the former --criterion ones, which stay in the history",
    )
    .requiredOption("--criterion <bound...>", 'such as "rmse<=0.3" "auc>=0.8"')
    .requiredOption("--reason <text>", "why; kept with them")
    .action((experiment, options) =>
      execute("experiments set", (invocation) =>
        setCriteria(invocation, experiment, criteriaOf(options.criterion), options.reason),
      ),
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

async function create(invocation: Invocation, experiment: Experiment): Promise<Report> {
  const id = experimentIdSchema.safeParse(experiment.experiment_id);
  if (!id.success) {
    const expected = id.error.issues.map((issue) => issue.message).join(", ");
    throw new InvalidRequestError(
      `${JSON.stringify(experiment.experiment_id)} is no experiment id: ${expected}.`,
    );
  }
  refuseCriteria(experiment);
  const remote = await invocation.remote();
  if (remote !== null) return createRemotely(remote, experiment);
  return invocation.withObserver(async ({ database }) => {
    const needs = { right: "configure", extent: experiment.experiment_id, subject: "experiments" } as const;
    const { who: by, origin } = await authorizedActor(invocation, database, needs);
    const before = await database.experiments.get(experiment.experiment_id);
    await database.experiments.create(experiment, by, origin);
    const { criteria } = experiment;
    if (criteria !== undefined && JSON.stringify(before?.criteria) !== JSON.stringify(criteria)) {
      const set = { reason: "set when the experiment was created", set_by: by, origin };
      await database.experiments.setCriteria(experiment.experiment_id, criteria, set);
    }
    return experimentReport(experiment, await database.experiments.getGatePolicy(experiment.experiment_id));
  });
}

async function createRemotely(remote: RemoteApi, { criteria, ...body }: Experiment): Promise<Report> {
  const made = await remote.ask(experimentReportSchema, "/v1/experiments", { body });
  if (criteria === undefined || JSON.stringify(made.experiment.criteria) === JSON.stringify(criteria))
    return experimentReport(made.experiment, made.gate_policy);
  return criteriaRemotely(remote, body.experiment_id, criteria, "set when the experiment was created");
}

async function criteriaRemotely(
  remote: RemoteApi,
  id: string,
  criteria: Criterion[],
  reason: string,
): Promise<Report> {
  const path = `/v1/experiments/${encodeURIComponent(id)}/criteria`;
  const body = { criteria, reason };
  const set = await remote.ask(experimentReportSchema, path, { method: "PUT", body });
  return experimentReport(set.experiment, set.gate_policy);
}

async function setCriteria(
  invocation: Invocation,
  id: string,
  criteria: Criterion[],
  reason: string,
): Promise<Report> {
  const remote = await invocation.remote();
  if (remote !== null) return criteriaRemotely(remote, id, criteria, reason);
  return invocation.withObserver(async ({ database }) => {
    if ((await database.experiments.get(id)) === null) throw await unknownExperiment(id, database);
    const needs = { right: "configure", extent: id, subject: "criteria" } as const;
    const { who: set_by, origin } = await authorizedActor(invocation, database, needs);
    await database.experiments.setCriteria(id, criteria, { reason, set_by, origin });
    return show(invocation, id);
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

async function show(invocation: Invocation, id: string): Promise<Report> {
  const remote = await invocation.remote();
  if (remote !== null) {
    const found = await remote.ask(experimentReportSchema, `/v1/experiments/${encodeURIComponent(id)}`);
    return experimentReport(found.experiment, found.gate_policy);
  }
  return invocation.withObserver(async ({ database }) => {
    const experiment = await database.experiments.get(id);
    if (experiment !== null)
      return experimentReport(experiment, await database.experiments.getGatePolicy(id));
    throw await unknownExperiment(id, database);
  });
}

function experimentReport(experiment: Experiment, policy: Parameters<typeof policyLines>[0]): Report {
  return report(experimentReportSchema, { experiment, gate_policy: policy }, (data, paint) => {
    const {
      experiment_id,
      experiment_name,
      prediction_target,
      criteria: others = [],
      ...criteria
    } = data.experiment;
    return [
      `${paint.bold(experiment_id)}  ${experiment_name}, predicts ${prediction_target}`,
      ...Object.entries(criteria).map(([name, value]) => `  ${name.padEnd(26)} ${value ?? "not set"}`),
      ...others.map((one) => `  ${one.metric.padEnd(26)} ${criterionText(one)}`),
      ...policyLines(data.gate_policy, paint),
    ];
  });
}

async function list(invocation: Invocation): Promise<Report> {
  const remote = await invocation.remote();
  const found =
    remote === null
      ? await invocation.withObserver(async ({ database }) => ({
          experiments: await database.overview.experiments(),
        }))
      : await remote.ask(experimentsReportSchema, "/v1/experiments");
  return report(experimentsReportSchema, found, (data, paint) =>
    table(
      ["experiment", "name", "predicts"],
      data.experiments.map((one) => [one.experiment_id, one.experiment_name, one.prediction_target]),
      paint,
    ),
  );
}
