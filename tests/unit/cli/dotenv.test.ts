import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { withDotenv } from "../../../src/cli/dotenv.ts";

async function folderWith(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "dotenv-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, ".env"), text);
  return folder;
}

test("a file that init wrote is read, and what is set already wins", async () => {
  const folder = await folderWith("MODEL_DEPLOYER_HOME=here\nMODEL_DEPLOYER_LOG_LEVEL=info\n");
  expect(withDotenv({ MODEL_DEPLOYER_LOG_LEVEL: "warn" }, folder)).toEqual({
    MODEL_DEPLOYER_HOME: "here",
    MODEL_DEPLOYER_LOG_LEVEL: "warn",
  });
});

test("another program's file, whose database is none of the deployer's, adds nothing", async () => {
  const folder = await folderWith("DATABASE_URL=postgres://shop/orders\n");
  expect(withDotenv({ PATH: "/bin" }, folder)).toEqual({ PATH: "/bin" });
  expect(withDotenv({ PATH: "/bin" }, join(folder, "none"))).toEqual({ PATH: "/bin" });
});
