import fc from "fast-check";
import { expect, test } from "vitest";
import { ServiceUnavailableError } from "../../../src/agents/model_deployer/errors.ts";
import { exitCodes } from "../../../src/cli/invocation/exit_codes.ts";
import { runCli } from "../../../src/cli/program.ts";
import { fuzzRuns, word } from "../../support/requests/fuzzed.ts";
import { caughtStreams } from "../../support/given/caught_streams.ts";

/** Those that start or write nothing before they have opened the database, which fails here. */
const COMMANDS = [
  ...["status", "plan", "apply", "approve", "revoke", "pause", "resume", "abort", "promote-now", "retry"],
  ...["rollback", "remove", "restart", "update", "history", "judge", "outcomes", "reconcile", "prune"],
  ...["experiments", "policy", "principals", "versions", "deployments", "resume-operation", "completion"],
];
const OPTIONS = [
  ...["--reason", "--to", "--json", "--help", "--replicas", "--cpu", "--memory", "--autoscaling", "--steps"],
  ...[
    "--alpha",
    "--approvals-for",
    "--older-than",
    "--keep-under",
    "--only",
    "--at",
    "--policy",
    "--rollout",
  ],
  ...["--predictions", "--outcomes", "--criterion", "--token-file", "--shadow-hours", "--plan", "--yes"],
];
const WORDS = [
  "register",
  "promote",
  "deploy",
  "set",
  "show",
  "create",
  "import",
  "enrol",
  "list",
  "production",
  "bash",
];

const line = fc.tuple(
  fc.constantFrom(...COMMANDS),
  fc.array(fc.oneof(word, fc.constantFrom(...OPTIONS), fc.constantFrom(...WORDS)), { maxLength: 7 }),
);

test("whatever words the command line is given, it ends with a code that says why", async () => {
  await fc.assert(
    fc.asyncProperty(line, async ([command, words]) => {
      const { streams, printed } = caughtStreams();
      streams.stdin.end();
      const away = async () => {
        throw new ServiceUnavailableError("postgres", "Postgres is away");
      };
      const code = await runCli([command, ...words], {
        streams,
        environment: { MODEL_DEPLOYER_HOME: "/nonexistent/home" },
        signal: new AbortController().signal,
        openDeployer: away,
        openObserver: away,
      });
      const said = `${printed.out}${printed.err}`;
      expect(code, `${JSON.stringify([command, ...words])}: ${said}`).not.toBe(exitCodes.unexpected);
      expect(Object.values(exitCodes)).toContain(code);
      expect(said, JSON.stringify(words)).not.toMatch(/\u001b\[2J|\u202e|\n\s+at .*\.ts:\d+/);
    }),
    { numRuns: fuzzRuns(0.2, 300), endOnFailure: true },
  );
});
