import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import {
  APPROVED_MOVES,
  approvedMoveSchema,
  type GatePolicy,
  type NewGatePolicy,
  STANDARD_GATE_POLICY,
} from "../../../agents/model_deployer/domain/models/gate_policy.ts";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";
import type { Execute } from "../../invocation/execute.ts";
import { authorizedActor } from "../../invocation/requester.ts";
import { enginesFrom } from "./engine_option.ts";
import { formatsOf } from "./formats_option.ts";
import { signersOf } from "./signers_option.ts";
import { vulnerabilitiesOf, type VulnerabilityOptions } from "./vulnerability_options.ts";
import { keptRowsOf } from "./kept_rows_options.ts";
import { remotePolicy, setRemotePolicy } from "../../remote/remote_policy.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import type { Report } from "../../invocation/command_report.ts";
import { addJudgeFlags, judgeSettingsOf } from "../judge_options.ts";
import { requireEngines, checkKeptRows } from "../../../service/policies/checked_engines.ts";
import { checkMetricsOf } from "../../../service/policies/checked_metrics.ts";
import { policyReportOf } from "../../../service/policies/policy_report.ts";
import { policyReport } from "./shown_policy.ts";
import { unknownExperiment } from "../../../service/problems/unknown_name.ts";
import { plainNumber } from "../../number_options.ts";

interface Options extends VulnerabilityOptions {
  reason: string;
  shadowHours?: number | undefined;
  shadowRequests?: number | undefined;
  shadowErrorRate?: number | undefined;
  shadowP99Ms?: number | undefined;
  shadowDisagreement?: string | undefined;
  shadowMaxAge?: number | undefined;
  approvals?: number | undefined;
  approvalsFor?: string[] | undefined;
  approvalsForUnknown?: number | undefined;
  duringRollout?: string | undefined;
  formats?: string | undefined;
  signedBy?: string[] | undefined;
  engine?: string | undefined;
  rows?: string | undefined;
  hide?: string | undefined;
  hash?: string | undefined;
  demo?: true | undefined;
}

/** Flags that need more words than a line has. */
const FLAGS = {
  shadowHours: [
    "--shadow-hours <number>",
    "at least this long in shadow; 24 or more; less in a demo installation",
  ],
  shadowDisagreement: [
    "--shadow-disagreement <fraction>",
    "at most this share of pairs in which it predicts otherwise than production, or any",
  ],
  approvalsFor: [
    "--approvals-for <move=count...>",
    `approvals that single moves need: ${APPROVED_MOVES.join(", ")}`,
  ],
  formats: [
    "--formats <names>",
    "formats in which models may be saved: any, safe, or by name, as in safe,pickle",
  ],
  signedBy: [
    "--signed-by <signers...>",
    "who has to have signed a model: files with a public key or an authority's certificates, identity@https://issuer, or none",
  ],
  engine: [
    "--engine <engines>",
    "where new deployments are made: local, kubernetes, bentocloud or usual, or by endpoint as in staging=local,production=kubernetes",
  ],
  refuseVulnerabilities: [
    "--refuse-vulnerabilities <severity>",
    "refuse packages with a known vulnerability from this severity on: low, medium, high, critical, any, or none",
  ],
  rows: [
    "--rows <sample>",
    "keep this share of requests with what each side answered; 0.01,most=1000,on_errors=tell tells more, none keeps nothing",
  ],
} as const;

export function addPolicy(program: CommandUnknownOpts, execute: Execute): void {
  const policy = program.command("policy").description("what production asks for, by experiment");
  policy
    .command("show <experiment>")
    .description("the gate policy in force")
    .action((experiment) => execute("policy show", (invocation) => show(invocation, experiment)));
  const setting = policy
    .command("set <experiment>")
    .description("set a gate policy; what is left out stays as it is")
    .requiredOption("--reason <text>", "why; kept with the policy")
    .option(...FLAGS.shadowHours, plainNumber)
    .option("--shadow-requests <number>", "at least so many mirrored requests", plainNumber)
    .option("--shadow-error-rate <fraction>", "at most this share of errors", plainNumber)
    .option("--shadow-p99-ms <number>", "at most this p99", plainNumber)
    .option(...FLAGS.shadowDisagreement)
    .option(
      "--shadow-max-age <days>",
      "how many days after it left production a version may return by its earlier shadow",
      plainNumber,
    )
    .option(
      "--approvals <count>",
      "approvals that a move needs which --approvals-for does not name",
      plainNumber,
    )
    .option(...FLAGS.approvalsFor)
    .option(
      "--approvals-for-unknown <count>",
      "how many more where no principal is known behind the request",
      plainNumber,
    )
    .option("--during-rollout <what>", "refuse or supersede: what a newer version does to an open rollout")
    .option(...FLAGS.formats)
    .option(...FLAGS.signedBy)
    .option(...FLAGS.engine)
    .option(...FLAGS.refuseVulnerabilities)
    .option("--accept-vulnerabilities <ids...>", "those that were looked into, by id; or none")
    .option(...FLAGS.rows)
    .option(
      "--hide <fields>",
      "fields that kept rows do not have, such as age,name; * is all, none hides nothing",
    )
    .option("--hash <fields>", "fields that kept rows have as a hash");
  addJudgeFlags(setting);
  setting
    .option("--demo", "a policy that may ask for less than 24 h; in a demo installation alone")
    .action((experiment, options) =>
      execute("policy set", (invocation) => set(invocation, experiment, options)),
    );
}

async function show(invocation: Invocation, experiment: string): Promise<Report> {
  const remote = await invocation.remote();
  if (remote !== null) return policyReport(await remotePolicy(remote, experiment));
  return invocation.withObserver(async ({ database, engines }) => {
    if ((await database.experiments.get(experiment)) === null) {
      throw await unknownExperiment(experiment, database);
    }
    const policy = await database.experiments.getGatePolicy(experiment);
    return policyReport(await policyReportOf(database, engines, experiment, policy));
  });
}

async function set(invocation: Invocation, experiment: string, options: Options): Promise<Report> {
  const remote = await invocation.remote();
  if (remote !== null) {
    const change = async (before: NewGatePolicy) =>
      changed(await withSigners(before, options), options, options.demo === true ? "demo" : before.kind);
    return policyReport(await setRemotePolicy(remote, experiment, change));
  }
  return invocation.withObserver(async ({ database, engines, teamMetrics, rowsKeptOn }) => {
    if ((await database.experiments.get(experiment)) === null) {
      throw await unknownExperiment(experiment, database);
    }
    const needs = { right: "configure", extent: experiment, subject: "policy" } as const;
    const by = await authorizedActor(invocation, database, needs);
    const { policy_id: _, ...before } = await database.experiments.getGatePolicy(experiment);
    const installation = await database.overview.installation();
    if (options.demo === true && installation !== "demo") throw noDemo(experiment);
    const wanted = changed(await withSigners(before, options), options, installation);
    const chosen = { before: before.engines, wanted: wanted.engines ?? {} };
    await requireEngines(experiment, chosen, engines, database);
    checkKeptRows(before, wanted, engines, rowsKeptOn);
    await checkMetricsOf(experiment, before, wanted, { database, teamMetrics });
    const policy = await database.experiments.setGatePolicy(experiment, wanted, by.who, by.origin);
    return policyReport(await policyReportOf(database, engines, experiment, policy));
  });
}

async function withSigners(before: NewGatePolicy, { signedBy }: Options): Promise<NewGatePolicy> {
  return signedBy === undefined ? before : { ...before, signers: await signersOf(signedBy, before.signers) };
}

function noDemo(experiment: string): InvalidRequestError {
  return new InvalidRequestError(
    `--demo: this is a standard installation, where ${experiment} needs a shadow of 24 h or more; \`model-deployer init --demo\` makes a demo installation in another folder.`,
  );
}

/** In a demo installation, a policy that asks for less than a standard one may is a demo policy. */
function changed(before: NewGatePolicy, options: Options, installation: "standard" | "demo"): NewGatePolicy {
  const hours = options.shadowHours ?? before.minimum_shadow_hours;
  const isDemo =
    options.demo === true || (installation === "demo" && hours < STANDARD_GATE_POLICY.minimum_shadow_hours);
  return {
    ...before,
    kind: isDemo ? "demo" : "standard",
    minimum_shadow_hours: hours,
    minimum_shadow_requests: options.shadowRequests ?? before.minimum_shadow_requests,
    maximum_shadow_error_rate: options.shadowErrorRate ?? before.maximum_shadow_error_rate,
    maximum_shadow_p99_ms: options.shadowP99Ms ?? before.maximum_shadow_p99_ms,
    maximum_shadow_disagreement:
      options.shadowDisagreement === undefined
        ? (before.maximum_shadow_disagreement ?? null)
        : disagreement(options.shadowDisagreement),
    maximum_shadow_age_days: options.shadowMaxAge ?? before.maximum_shadow_age_days,
    approvals_for_production: options.approvals ?? before.approvals_for_production,
    approvals_by_move: { ...before.approvals_by_move, ...(options.approvalsFor ?? []).reduce(named, {}) },
    approvals_for_unknown: options.approvalsForUnknown ?? before.approvals_for_unknown,
    judge: { ...before.judge, ...judgeSettingsOf(options) },
    formats: options.formats === undefined ? (before.formats ?? null) : formatsOf(options.formats),
    ...(options.engine !== undefined && { engines: enginesFrom(options.engine, before.engines ?? {}) }),
    vulnerabilities: vulnerabilitiesOf(before.vulnerabilities, options),
    kept_rows: keptRowsOf(before.kept_rows ?? null, options),
    ...(options.duringRollout === undefined ? {} : { during_rollout: duringRollout(options.duringRollout) }),
    reason: options.reason,
  };
}

function named(byMove: GatePolicy["approvals_by_move"], given: string): GatePolicy["approvals_by_move"] {
  const [move, count] = given.split("=");
  const known = approvedMoveSchema.safeParse(move);
  if (known.success && /^\d{1,4}$/.test(count ?? "")) return { ...byMove, [known.data]: Number(count) };
  throw new InvalidRequestError(
    `--approvals-for ${given}: write <move>=<count> with one of ${APPROVED_MOVES.join(", ")}.`,
  );
}

const disagreement = (given: string): number | null => (given === "any" ? null : plainNumber(given));

function duringRollout(given: string): "refuse" | "supersede" {
  if (given === "refuse" || given === "supersede") return given;
  throw new InvalidRequestError(`--during-rollout ${given}: name refuse or supersede.`);
}
