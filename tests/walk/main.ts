import { holdKitDatabasesOn } from "../../src/testing/in_memory/database/kit_databases.ts";
import { newTally } from "./tally.ts";
import { startNativeServer } from "./native_server.ts";
import { tableOf, takeWalks } from "./walk.ts";
import { beginAt, createBeginnings } from "./world.ts";

/** usage: node tests/walk/main.ts [--sequences=20000] [--seed=1] [--longest=14] [--seconds=N] [--show=10] */
function option(name: string, usual: number): number {
  const given = process.argv.find((word) => word.startsWith(`--${name}=`));
  return given === undefined ? usual : Number(given.slice(name.length + 3));
}

const tally = newTally();
const seed = option("seed", 1);
const show = option("show", 10);
const say = (line: string) => process.stdout.write(`${line}\n`);
const url = process.argv.find((word) => word.startsWith("--database="))?.slice("--database=".length);
const native = url === undefined ? null : await startNativeServer(url);
if (native !== null) holdKitDatabasesOn(async () => native.server);
const beginnings = await createBeginnings();
let groups = 0;
const begun = performance.now();
await takeWalks(tally, {
  sequences: option("sequences", 20_000),
  seed,
  longest: option("longest", 14),
  seconds: option("seconds", Infinity),
  together: option("together", 20),
  longest_end: option("end", 3),
  pursued: option("pursued", 3),
  begin: () => beginAt(beginnings, groups++),
  onSequence: ({ sequences }) => {
    if (sequences % 100 === 0)
      process.stderr.write(`${sequences} after ${Math.round((performance.now() - begun) / 1000)} s\n`);
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
