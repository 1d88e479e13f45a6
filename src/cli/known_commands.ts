import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Execute } from "./invocation/execute.ts";

type Add = (program: CommandUnknownOpts, execute: Execute) => void;

interface KnownCommand {
  /** The first words that lead to it. */
  words: readonly string[];
  /** Its code is loaded only where it is asked for, since all together take longer to load than most take to answer. */
  load: () => Promise<Add>;
}

/** In the order in which help shows them. */
export const KNOWN_COMMANDS: readonly KnownCommand[] = [
  { words: ["init"], load: async () => (await import("./commands/start/init.ts")).addInit },
  { words: ["up"], load: async () => (await import("./commands/start/up.ts")).addUp },
  { words: ["example"], load: async () => (await import("./commands/start/example_command.ts")).addExample },
  { words: ["release"], load: async () => (await import("./commands/start/release.ts")).addRelease },
  { words: ["status"], load: async () => (await import("./commands/status/status.ts")).addStatus },
  { words: ["plan"], load: async () => (await import("./commands/actions/plan_command.ts")).addPlan },
  { words: ["apply"], load: async () => (await import("./commands/actions/apply.ts")).addApply },
  { words: ["approve"], load: async () => (await import("./commands/actions/approve.ts")).addApprove },
  { words: ["revoke"], load: async () => (await import("./commands/actions/revoke.ts")).addRevoke },
  {
    words: ["retry", "pause", "resume", "promote-now", "abort"],
    load: async () => (await import("./commands/actions/rollout_controls.ts")).addRolloutControls,
  },
  { words: ["rollback"], load: async () => (await import("./commands/actions/rollback.ts")).addRollback },
  { words: ["remove"], load: async () => (await import("./commands/actions/remove.ts")).addRemove },
  { words: ["restart"], load: async () => (await import("./commands/actions/restart.ts")).addRestart },
  { words: ["update"], load: async () => (await import("./commands/actions/update.ts")).addUpdate },
  { words: ["history"], load: async () => (await import("./commands/status/history_command.ts")).addHistory },
  { words: ["judge"], load: async () => (await import("./commands/status/judge_command.ts")).addJudge },
  {
    words: ["outcomes"],
    load: async () => (await import("./commands/outcomes/outcomes_command.ts")).addOutcomes,
  },
  {
    words: ["disagreements", "replay"],
    load: async () => (await import("./commands/status/rows_commands.ts")).addRows,
  },
  { words: ["sbom"], load: async () => (await import("./commands/status/sbom_command.ts")).addBill },
  { words: ["doctor"], load: async () => (await import("./commands/doctor/doctor.ts")).addDoctor },
  { words: ["reconcile"], load: async () => (await import("./commands/services/reconcile.ts")).addReconcile },
  { words: ["prune"], load: async () => (await import("./commands/keeping/prune_command.ts")).addPrune },
  {
    words: ["backup", "restore"],
    load: async () => (await import("./commands/keeping/backup_command.ts")).addBackup,
  },
  {
    words: ["rehearse"],
    load: async () => (await import("./commands/keeping/rehearse_command.ts")).addRehearse,
  },
  { words: ["worker"], load: async () => (await import("./commands/services/worker_command.ts")).addWorker },
  { words: ["serve"], load: async () => (await import("./commands/services/serve_command.ts")).addServe },
  {
    words: ["console"],
    load: async () => (await import("./commands/services/console_command.ts")).addConsole,
  },
  { words: ["down"], load: async () => (await import("./commands/services/down.ts")).addDown },
  { words: ["env"], load: async () => (await import("./commands/services/env_command.ts")).addEnv },
  { words: ["manifests"], load: async () => (await import("./commands/services/manifests.ts")).addManifests },
  {
    words: ["login", "logout"],
    load: async () => (await import("./commands/sign_in/login_command.ts")).addLogin,
  },
  {
    words: ["experiments"],
    load: async () => (await import("./commands/settings/experiments.ts")).addExperiments,
  },
  {
    words: ["endpoints"],
    load: async () => (await import("./commands/settings/endpoints_command.ts")).addEndpoints,
  },
  { words: ["policy"], load: async () => (await import("./commands/settings/policy.ts")).addPolicy },
  {
    words: ["principals"],
    load: async () => (await import("./commands/settings/principals_command.ts")).addPrincipals,
  },
  {
    words: ["notifications"],
    load: async () => (await import("./commands/notifications/notifications_command.ts")).addNotifications,
  },
  { words: ["audit"], load: async () => (await import("./commands/audit/audit_command.ts")).addAudit },
  { words: ["versions"], load: async () => (await import("./commands/status/versions.ts")).addVersions },
  {
    words: ["deployments"],
    load: async () => (await import("./commands/status/deployments.ts")).addDeployments,
  },
  {
    words: ["resume-operation"],
    load: async () => (await import("./commands/actions/resumed_operation.ts")).addResumeOperation,
  },
  {
    words: ["completion", "complete"],
    load: async () => (await import("./commands/completion.ts")).addCompletion,
  },
];

/** These list all commands. */
const OF_ALL = ["completion", "complete"];
/** Options that the program answers by itself. */
const VERSION = ["--version", "-V"];
/** Options of the program itself that are followed by a value. */
const WITH_VALUE = ["--home", "--token-file"];

/** The commands that may be meant: one, or all of them where that is not clear, or where all are to be listed. */
export async function commandsFor(words: readonly string[]): Promise<Add[]> {
  if (words.length === 1 && VERSION.includes(words[0] ?? "")) return [];
  const named = words[firstOf(words)] ?? "";
  const found = KNOWN_COMMANDS.find((command) => command.words.includes(named) && !OF_ALL.includes(named));
  return Promise.all((found === undefined ? KNOWN_COMMANDS : [found]).map(({ load }) => load()));
}

/** The index of the first word that is neither an option nor an option's value. */
function firstOf(words: readonly string[]): number {
  let index = 0;
  while (index < words.length && words[index]?.startsWith("-") === true) {
    index += WITH_VALUE.includes(words[index] ?? "") ? 2 : 1;
  }
  return index;
}
