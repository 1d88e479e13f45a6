import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { approvalsByMove } from "../agents/model_deployer/domain/approvals_needed.ts";
import {
  APPROVED_MOVES,
  approvedMoveSchema,
  type GatePolicy,
  type NewGatePolicy,
} from "../agents/model_deployer/domain/entities.ts";
import { InvalidRequestError } from "../agents/model_deployer/errors.ts";
import type { Execute } from "./program.ts";
import { requesterOf } from "./requester.ts";
import { type Invocation, report, type Report } from "./runner.ts";
import { policyReportSchema } from "./schemas.ts";
import type { Paint } from "./terminal.ts";
import { unknownExperiment } from "./unknown_name.ts";

interface Options {
  reason: string;
  shadowHours?: number | undefined;
  shadowRequests?: number | undefined;
  shadowErrorRate?: number | undefined;
  shadowP99Ms?: number | undefined;
  shadowDisagreement?: string | undefined;
  approvals?: number | undefined;
  approvalsFor?: string[] | undefined;
  duringRollout?: string | undefined;
  demo?: true | undefined;
}

export function addPolicy(program: CommandUnknownOpts, execute: Execute): void {
  const policy = program.command("policy").description("what production asks for, by experiment");
  policy
    .command("show <experiment>")
    .description("the gate policy in force")
    .action((experiment) => execute("policy show", (invocation) => show(invocation, experiment)));
  policy
    .command("set <experiment>")
    .description("set a gate policy; what is left out stays as it is")
    .requiredOption("--reason <text>", "why; kept with the policy")
    .option("--shadow-hours <number>", "at least this long in shadow; 24 or more, but in a demo", Number)
    .option("--shadow-requests <number>", "at least so many mirrored requests", Number)
    .option("--shadow-error-rate <fraction>", "at most this share of errors", Number)
    .option("--shadow-p99-ms <number>", "at most this p99", Number)
    .option(
      "--shadow-disagreement <fraction>",
      "at most this share of pairs in which it predicts otherwise than production, or any",
    )
    .option("--approvals <count>", "approvals that a move needs which --approvals-for does not name", Number)
    .option(
      "--approvals-for <move=count...>",
      `approvals that single moves need: ${APPROVED_MOVES.join(", ")}`,
    )
    .option("--during-rollout <what>", "refuse or supersede: what a newer version does to an open rollout")
    .option("--demo", "shorter than 24 h; only in a database that was made for demos")
    .action((experiment, options) =>
      execute("policy set", (invocation) => set(invocation, experiment, options)),
    );
}

function show(invocation: Invocation, experiment: string): Promise<Report> {
  return invocation.withObserver(async ({ database }) => {
    if ((await database.experiments.get(experiment)) === null) {
      throw await unknownExperiment(experiment, database);
    }
    return policyReport(experiment, await database.experiments.getGatePolicy(experiment));
  });
}

function set(invocation: Invocation, experiment: string, options: Options): Promise<Report> {
  return invocation.withObserver(async ({ database }) => {
    if ((await database.experiments.get(experiment)) === null) {
      throw await unknownExperiment(experiment, database);
    }
    const { policy_id: _, ...before } = await database.experiments.getGatePolicy(experiment);
    const by = await requesterOf(invocation, database);
    const wanted = changed(before, options);
    return policyReport(experiment, await database.experiments.setGatePolicy(experiment, wanted, by));
  });
}

function changed(before: NewGatePolicy, options: Options): NewGatePolicy {
  return {
    ...before,
    kind: options.demo === true ? "demo" : "standard",
    minimum_shadow_hours: options.shadowHours ?? before.minimum_shadow_hours,
    minimum_shadow_requests: options.shadowRequests ?? before.minimum_shadow_requests,
    maximum_shadow_error_rate: options.shadowErrorRate ?? before.maximum_shadow_error_rate,
    maximum_shadow_p99_ms: options.shadowP99Ms ?? before.maximum_shadow_p99_ms,
    maximum_shadow_disagreement:
      options.shadowDisagreement === undefined
        ? (before.maximum_shadow_disagreement ?? null)
        : disagreement(options.shadowDisagreement),
    approvals_for_production: options.approvals ?? before.approvals_for_production,
    approvals_by_move: { ...before.approvals_by_move, ...(options.approvalsFor ?? []).reduce(named, {}) },
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

const disagreement = (given: string): number | null => (given === "any" ? null : Number(given));

function duringRollout(given: string): "refuse" | "supersede" {
  if (given === "refuse" || given === "supersede") return given;
  throw new InvalidRequestError(`--during-rollout ${given}: name refuse or supersede.`);
}

function policyReport(experiment_id: string, gate_policy: GatePolicy): Report {
  return report(policyReportSchema, { experiment_id, gate_policy }, (data, paint) => [
    paint.bold(data.experiment_id),
    ...policyLines(data.gate_policy, paint),
  ]);
}

export function policyLines(policy: GatePolicy, paint: Paint): string[] {
  const {
    policy_id,
    kind,
    reason,
    approvals_for_production: _,
    approvals_by_move: _moves,
    ...rules
  } = policy;
  const approvals = approvalsByMove(policy).map(([move, needed]) => [`approvals: ${move}`, needed]);
  return [
    `  gate policy ${policy_id}${kind === "demo" ? paint.yellow(" (demo)") : ""}: ${reason}`,
    ...[...Object.entries(rules), ...approvals].map(
      ([name, value]) => `  ${String(name).padEnd(32)} ${value}`,
    ),
  ];
}
