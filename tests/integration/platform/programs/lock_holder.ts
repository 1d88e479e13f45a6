import { once } from "node:events";
import { createServer } from "node:net";
import { withFileLock } from "../../../../src/platform/processes/file_lock.ts";

/** Takes the lock at `PATH`, says so, and holds it until it is killed. */
const [path = ""] = process.argv.slice(2);
await withFileLock(path, { waitMs: 30_000 }, async () => {
  process.stdout.write("held\n");
  await once(createServer().listen(0, "127.0.0.1"), "close");
});
