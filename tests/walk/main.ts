import { holdKitDatabasesOn } from "../../src/testing/in_memory/database/kit_databases.ts";
import { Command } from "@commander-js/extra-typings";
import { wholeNumberBetween } from "../../src/cli/number_options.ts";
import { aDatabase, parseWords } from "../support/programs/parsed_words.ts";
import { newTally } from "./tally.ts";
import { startNativeServer } from "./native_server.ts";
import { tableOf, takeWalks } from "./walk.ts";
import { beginAt, createBeginnings } from "./world.ts";

const most = Number.MAX_SAFE_INTEGER;
const program = new Command("npm run test:walk --")
  .description(
    "Random ways through the deployer: every hint of a refusal goes on, none in a circle. Ends with 1 where one does not.",
  )
  .option("--sequences <number>", "how many ways are taken", wholeNumberBetween(1, most), 20_000)
  .option("--seed <number>", "takes the same ways again", wholeNumberBetween(0, 2 ** 31 - 1), 1)
  .option(
    "--longest <number>",
    "commands that a group of ways has in common, at most",
    wholeNumberBetween(1, 1000),
    14,
  )
  .option("--end <number>", "commands that each way has for itself, at most", wholeNumberBetween(1, 1000), 3)
  .option("--together <number>", "ways in a group", wholeNumberBetween(1, 10_000), 20)
  .option(
    "--pursued <number>",
    "runs that are followed to production from each state",
    wholeNumberBetween(0, 3),
    3,
  )
  .option(
    "--seconds <number>",
    "no group begins after these; until all are taken unless told",
    wholeNumberBetween(1, most),
  )
  .option("--show <number>", "findings of each kind that are printed", wholeNumberBetween(0, most), 10)
  .option("--database <url>", "a PostgreSQL server for the kit's databases", aDatabase);
parseWords(program);
const {
  sequences,
  seed,
  longest,
  end,
  together,
  pursued,
  seconds = Infinity,
  show,
  database: url,
} = program.opts();

const tally = newTally();
const say = (line: string) => process.stdout.write(`${line}\n`);
const native = url === undefined ? null : await startNativeServer(url);
if (native !== null) holdKitDatabasesOn(async () => native.server);
const beginnings = await createBeginnings();
let groups = 0;
const begun = performance.now();
await takeWalks(tally, {
  ...{ sequences, seed, longest, seconds, together, pursued },
  longest_end: end,
  begin: () => beginAt(beginnings, groups++),
  onSequence: ({ sequences: taken }) => {
    if (taken % 100 === 0)
      process.stderr.write(`${taken} after ${Math.round((performance.now() - begun) / 1000)} s\n`);
  },
});
say(`seed                 ${seed}`);
for (const line of tableOf(tally)) say(line);
for (const list of [tally.dead_ends, tally.circles, tally.broken_promises]) {
  for (const line of list.slice(0, show)) say(`- ${line}`);
}
const found = tally.dead_ends.length + tally.circles.length + tally.broken_promises.length;
await native?.end();
process.exitCode = found === 0 ? 0 : 1;
