import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { ALL } from "../../../agents/model_deployer/domain/access/roles.ts";
import type { PrunePlan, PrunePolicy } from "../../../keeping/decide_prune.ts";
import type { Pruned, Pruner } from "../../../keeping/pruner.ts";
import { sizeOption, durationOption } from "../../../keeping/kept_quantities.ts";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";
import {
  PRUNED_KINDS,
  prunedKindSchema,
  type PruneReport,
  pruneReportSchema,
} from "../../../service/machine/keeping_schemas.ts";
import { exitCodes } from "../../invocation/exit_codes.ts";
import type { Execute } from "../../invocation/execute.ts";
import { authorizedActor } from "../../invocation/requester.ts";
import { pruneLines } from "../../output/views/prune_view.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";

interface Options {
  olderThan?: string | undefined;
  keepUnder?: string | undefined;
  only?: string[] | undefined;
  plan?: true | undefined;
  yes?: true | undefined;
}

const NEEDS = { right: "configure", extent: ALL, subject: "what is kept" } as const;

export function addPrune(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("prune")
    .description("remove what nobody needs any more; what serves, its way back and open work stay")
    .option(
      "--older-than <age>",
      "only what was not used for this long: 12h, 30d, 4w; MODEL_DEPLOYER_PRUNE_DAYS unless given",
    )
    .option(
      "--keep-under <size>",
      "remove younger things too, oldest first, until all is smaller: 500MB, 20GB",
    )
    .option("--only <kinds...>", `only these kinds: ${PRUNED_KINDS.join(", ")}`)
    .option("--plan", "show what would go and what stays, and remove nothing")
    .option("-y, --yes", "do not ask")
    .action((options: Options) => execute("prune", (invocation) => prune(invocation, options)));
}

async function prune(invocation: Invocation, options: Options): Promise<Report> {
  const policy = await policyOf(invocation, options);
  const kinds = options.only?.map(kindOf);
  const { terminal } = invocation;
  return invocation.withObserver(async (observer) => {
    const { database } = observer;
    const pruner = await observer.pruner();
    if (options.plan !== true) await authorizedActor(invocation, database, NEEDS);
    const plan = await terminal.withProgress("looking at what is kept", () => pruner.plan(policy, kinds));
    if (options.plan === true) return answer("planned", plan);
    if (plan.remove.length === 0 && plan.rows.length === 0) return answer("nothing", plan);
    if (options.yes !== true && terminal.isInteractive) {
      terminal.err((paint) => pruneLines(dataOf("planned", plan), paint));
      if (!(await invocation.confirm("Remove them?"))) return answer("declined", plan);
    }
    return carriedOut(invocation, pruner, plan, policy, kinds);
  });
}

async function carriedOut(
  invocation: Invocation,
  pruner: Pruner,
  plan: PrunePlan,
  ...[policy, kinds]: Parameters<Pruner["prune"]>
): Promise<Report> {
  const pruned = await invocation.terminal.withProgress("removing", () => pruner.prune(policy, kinds));
  return answer("pruned", plan, pruned);
}

function answer(status: PruneReport["status"], plan: PrunePlan, pruned?: Pruned): Report {
  const code = status === "declined" ? exitCodes.refused : exitCodes.done;
  return report(pruneReportSchema, dataOf(status, plan, pruned), pruneLines, code);
}

function dataOf(status: PruneReport["status"], plan: PrunePlan, pruned?: Pruned): PruneReport {
  const removed = pruned?.removed ?? plan.remove;
  const spared = new Set((pruned?.spared ?? []).map(({ kind, name }) => `${kind} ${name}`));
  const back = plan.remove.filter(({ kind, name }) => spared.has(`${kind} ${name}`));
  const sum = (items: readonly { bytes: number }[]) => items.reduce((total, { bytes }) => total + bytes, 0);
  return {
    status,
    removed: removed.map(shown),
    kept: plan.keep.map((item) => ({ ...shown(item), why: item.why })),
    spared: pruned?.spared ?? [],
    rows: pruned?.rows ?? plan.rows,
    freed_bytes: sum(removed),
    kept_bytes: plan.kept_bytes + sum(back),
    notes: plan.notes,
  };
}

const shown = ({ kind, name, bytes, used_at }: PrunePlan["remove"][number]) => ({
  kind,
  name,
  bytes,
  used_at,
});

async function policyOf(invocation: Invocation, { olderThan, keepUnder }: Options): Promise<PrunePolicy> {
  const { pruneDays, pruneBytes } = (await invocation.configuration()).keeping;
  return {
    older_than_seconds:
      olderThan === undefined ? (pruneDays ?? 30) * 86_400 : durationOption(olderThan, "--older-than"),
    keep_under_bytes: keepUnder === undefined ? pruneBytes : sizeOption(keepUnder, "--keep-under"),
  };
}

function kindOf(given: string): (typeof PRUNED_KINDS)[number] {
  const known = prunedKindSchema.safeParse(given);
  if (known.success) return known.data;
  throw new InvalidRequestError(`--only ${given}: name some of ${PRUNED_KINDS.join(", ")}.`);
}
