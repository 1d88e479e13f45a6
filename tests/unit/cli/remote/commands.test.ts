import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { expect, test } from "vitest";
import { z } from "zod";
import { KNOWN_COMMANDS } from "../../../../src/cli/known_commands.ts";
import { runCli } from "../../../../src/cli/program.ts";
import { caughtStreams } from "../../../support/given/caught_streams.ts";

/** These make an installation or work on this machine's own files, and need neither an API nor a database. */
const LOCAL = ["init", "up", "login", "logout", "completion", "complete", "down", "env"];
const NOWHERE = "http://127.0.0.1:9";

/** The words of each command that takes no further one, with an x for each argument that it asks for. */
function everyCommand(command: CommandUnknownOpts, path: readonly string[]): string[][] {
  if (command.commands.length > 0) {
    return command.commands.flatMap((one) => everyCommand(one, [...path, one.name()]));
  }
  const given = command.registeredArguments.filter(({ required }) => required).map(() => "x");
  const options = command.options
    .filter(({ mandatory }) => mandatory)
    .flatMap(({ long }) => [long ?? "", "x"]);
  return [[...path, ...given, ...options]];
}

const answerSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

async function run(words: string[], url = NOWHERE) {
  const { streams, printed } = caughtStreams();
  streams.stdin.end();
  const opened: string[] = [];
  const open = (what: string) => () => {
    opened.push(what);
    return expect.fail(`${words.join(" ")} opened ${what}`);
  };
  const code = await runCli([...words, "--json"], {
    streams,
    environment: { MODEL_DEPLOYER_URL: url, MODEL_DEPLOYER_TOKEN: "a-long-enough-token" },
    signal: AbortSignal.timeout(60_000),
    openDeployer: open("the deployer"),
    openObserver: open("the database"),
  });
  return { code, opened, ...answerSchema.parse(JSON.parse(printed.out)) };
}

test("where an API is named each command asks it, refuses its words, or says that it goes through none; none opens a database", async () => {
  const program = new Command();
  for (const { load } of KNOWN_COMMANDS) (await load())(program, async () => undefined);
  const commands = everyCommand(program, []).filter(([first = ""]) => !LOCAL.includes(first));
  expect(commands.length).toBeGreaterThan(50);
  for (const words of commands) {
    const { opened, error } = await run(words);
    expect({ words, opened }).toEqual({ words, opened: [] });
    expect(["service_unavailable", "configuration", "invalid_request"], words.join(" ")).toContain(
      error.code,
    );
    if (error.code === "service_unavailable") expect(error.message, words.join(" ")).toContain(NOWHERE);
  }
});

test("a backup is restored where the deployer runs, and no database is begun here for it", async () => {
  const { error } = await run(["restore", "a.backup"]);
  expect(error.code).toBe("configuration");
  expect(error.message).toContain("restore does not go through the API");
});

test("an address with more than the API's is not cut down to it, but refused", async () => {
  for (const more of ["/models", "/?a=b", "/#a"]) {
    const { error } = await run(["status"], `${NOWHERE}${more}`);
    expect(error.code).toBe("configuration");
    expect(error.message).toContain(`write ${NOWHERE}.`);
  }
});
