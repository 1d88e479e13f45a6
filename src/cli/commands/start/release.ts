import { setTimeout as delay } from "node:timers/promises";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { z } from "zod";
import { AgentError } from "../../../agents/base/agent_error.ts";
import { ConflictError } from "../../../agents/model_deployer/errors.ts";
import { approverTokenFile } from "../../example/people.ts";
import type { ModelVersion } from "../../../agents/model_deployer/domain/entities.ts";
import { type ExitCode, exitCodes } from "../../invocation/exit_codes.ts";
import type { Execute } from "../../invocation/execute.ts";
import { releaseLines } from "../../output/views/release_view.ts";
import { type ReleaseReport, releaseReportSchema } from "../../output/start_schemas.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { stepsOf } from "../actions/action_request.ts";
import { InterruptedError } from "../../../service/actions/interrupted.ts";
import type { ReleaseFacts } from "../../../service/release/release_facts.ts";
import { type ReleaseBackend, withReleaseBackend } from "./release_backend.ts";
import { nextReleaseMove, type ReleaseMove } from "./release_moves.ts";
import { numberBetween } from "../../number_options.ts";

interface Options {
  steps?: string | undefined;
  wait: number;
}

const LOOK_MS = 1000;
/** How often it says what is still missing. */
const PRINTED_EVERY_MS = 5000;
/**
 * How long it waits for whoever holds the lease that it needs, such as a worker that resumes an earlier operation.
 */
const ASIDE_MS = 300_000;

export function addRelease(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("release <experiment> <run>")
    .description("bring a run to production as far as it may go now; the same again goes on from there")
    .option("--steps <list>", "the rollout's steps as weight:seconds, such as 10:60,50:300,100:0")
    .option(
      "--wait <seconds>",
      "how long at most to wait for a shadow to show enough",
      numberBetween(0, 604_800),
      120,
    )
    .action((experiment, run, options) =>
      execute("release", (invocation) => release(invocation, experiment, run, options)),
    );
}

function release(invocation: Invocation, experiment: string, run: string, options: Options): Promise<Report> {
  return withReleaseBackend(invocation, (backend) =>
    invocation.terminal.withProgress("looking where it stands", (tell) =>
      new Release({ invocation, backend, experiment, run, options, tell }).toItsEnd(),
    ),
  );
}

interface Parts {
  invocation: Invocation;
  backend: ReleaseBackend;
  experiment: string;
  run: string;
  options: Options;
  tell: (text: string) => void;
}

/** One action after another, each planned and judged as if a person had asked for it. */
class Release {
  readonly #parts: Parts;
  readonly #until: number;
  /** The last sentence that was printed, which a repeated request does not print again. */
  #doing = "";
  #printedAt = -Infinity;
  #asideSince: number | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#until = performance.now() + parts.options.wait * 1000;
  }

  async toItsEnd(): Promise<Report> {
    for (;;) {
      const facts = await this.#facts();
      const next = nextReleaseMove(facts);
      if (next.move === "over") throw left(next.version);
      if (next.move === "done")
        return this.#answer({ status: facts.candidate_id === null ? "in_production" : "in_rollout" });
      const waiting = await this.#act(next);
      if (waiting !== null) return this.#answer(waiting);
    }
  }

  #facts(): Promise<ReleaseFacts> {
    const { backend, experiment, run } = this.#parts;
    return backend.facts(experiment, run);
  }

  /** Null where it goes on; else what it waits for. */
  async #act({
    doing,
    request,
  }: Extract<ReleaseMove, { move: "act" }>): Promise<Partial<ReleaseReport> | null> {
    const { backend, tell, options } = this.#parts;
    const steps = options.steps === undefined ? {} : { rollout: { steps: stepsOf(options.steps) } };
    const isRollout = request.deployment_action === "deploy" && request.target_stage === "production";
    if (doing !== this.#doing) tell(doing);
    this.#doing = doing;
    try {
      const { isUnderWay } = await backend.act(isRollout ? { ...request, ...steps } : request, tell);
      this.#asideSince = null;
      if (isUnderWay) await this.#pause();
      return null;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (error.code === "approval_required") return approvalOf(error);
      if (error.code === "production_criteria_not_met" && error.retryable) return this.#await(error);
      if (isHeldByAnother(error) && this.#mayStandAside()) return this.#standAside(error);
      throw error;
    }
  }

  #mayStandAside(): boolean {
    this.#asideSince ??= performance.now();
    return performance.now() - this.#asideSince < ASIDE_MS;
  }

  async #standAside({ message }: AgentError): Promise<null> {
    this.#tellNowAndThen(message);
    await this.#pause();
    return null;
  }

  #tellNowAndThen(text: string): void {
    if (performance.now() - this.#printedAt < PRINTED_EVERY_MS) return;
    this.#printedAt = performance.now();
    this.#parts.tell(text);
  }

  /** Null once it is worth asking again; what is missing, where that takes longer than somebody waits. */
  async #await(error: AgentError): Promise<Partial<ReleaseReport> | null> {
    const { not_before } = error;
    const lacks = unmetSchema.parse(error.details).unmet.map(({ sentence }) => sentence);
    const ready = not_before === null ? 0 : Date.parse(not_before) - Date.now();
    const isLong = performance.now() + ready > this.#until;
    if (isLong) return { status: "waits_for_evidence", lacks, not_before };
    this.#tellNowAndThen(lacks.join(" "));
    await this.#pause();
    return null;
  }

  async #pause(): Promise<void> {
    const { signal } = this.#parts.invocation;
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) throw new InterruptedError("The release was left; the same command goes on with it.");
  }

  async #answer(ended: Partial<ReleaseReport>): Promise<Report> {
    const { experiment, run, invocation, options } = this.#parts;
    const { version, endpoint } = await this.#facts();
    const data = {
      status: ended.status ?? "in_production",
      experiment_id: experiment,
      mlflow_run_id: run,
      steps: options.steps ?? null,
      model_version_id: version?.model_version_id ?? "",
      model_name: version?.model_name ?? "",
      version: version?.version ?? 0,
      stage: version?.stage ?? "development",
      endpoint_url: endpoint?.endpoint_url ?? null,
      endpoint_name: endpoint?.endpoint_name ?? null,
      operation_id: ended.operation_id ?? null,
      approver_token_file: await approverTokenFile(await invocation.configuration()),
      lacks: ended.lacks ?? [],
      not_before: ended.not_before ?? null,
    };
    return report(releaseReportSchema, data, releaseLines, codes[data.status]);
  }
}

const unmetSchema = z.object({ unmet: z.array(z.object({ sentence: z.string() })) });

const codes: Record<ReleaseReport["status"], ExitCode> = {
  in_production: exitCodes.done,
  in_rollout: exitCodes.done,
  waits_for_approval: exitCodes.approval_needed,
  waits_for_evidence: exitCodes.in_progress,
};

/** Somebody else is at work on the same endpoint, version or operation, and will be done. */
const isHeldByAnother = ({ code, retryable, details }: AgentError): boolean =>
  code === "conflict" && retryable && "lease" in details;

function approvalOf(error: AgentError): Partial<ReleaseReport> {
  const id: unknown = error.details["operation_id"];
  return { status: "waits_for_approval", operation_id: typeof id === "string" ? id : null };
}

function left({ model_name, version, model_version_id: id }: ModelVersion): ConflictError {
  return new ConflictError(
    `${model_name} version ${version} has left production; \`rollback --to ${id}\` brings it back, and \`apply register\` makes a new version of its run.`,
    { retryable: false },
  );
}
