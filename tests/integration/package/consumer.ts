import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect } from "vitest";
import { z } from "zod";
import { childEnvironment } from "../../../src/platform/processes/child_environment.ts";
import { npmInstall } from "../../support/programs/npm_install.ts";

export const root = fileURLToPath(new URL("../../../", import.meta.url));
const packageSchema = z.object({
  devDependencies: z.record(z.string(), z.string()),
  peerDependencies: z.record(z.string(), z.string()),
  peerDependenciesMeta: z.record(z.string(), z.object({ optional: z.boolean() })),
});
const packedSchema = z.array(
  z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) }),
);

/** Somebody else's project: its folder, and the files that the package brought into it. */
export interface Consumer {
  project: string;
  files: string[];
}

/** @returns what it wrote to its standard output */
export async function run(
  command: string,
  args: string[],
  directory: string,
  extra: Record<string, string> = {},
): Promise<string> {
  const { stdout } = await execa(command, args, {
    cwd: directory,
    env: childEnvironment(extra),
    extendEnv: false,
    timeout: 600_000,
  });
  return stdout;
}

/** Packs, and installs what came of it beside TypeScript into an empty project, as somebody else would. */
export async function createConsumer(): Promise<Consumer> {
  const project = await mkdtemp(join(tmpdir(), "model-deployer-consumer-"));
  const pack = ["pack", "--json", "--loglevel", "error", "--pack-destination", project];
  const listing = await run("npm", pack, root);
  const [packed] = packedSchema.parse(JSON.parse(listing.slice(listing.indexOf("["))));
  if (packed === undefined) expect.fail("npm pack named no file");
  await writeFile(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }));
  await npmInstall(["--omit=optional", join(project, packed.filename), ...(await peers())], project);
  return { project, files: packed.files.map(({ path }) => path) };
}

/** The package that the testing kit's database needs. */
export async function installKitEngine(project: string): Promise<void> {
  const { default: own } = await import("../../../package.json", { with: { type: "json" } });
  const name = "@electric-sql/pglite";
  await npmInstall(["--omit=optional", "--save-dev", `${name}@${own.devDependencies[name]}`], project);
}

/** Peer dependencies of the package, and a compiler, at the project's own versions. */
async function peers(): Promise<string[]> {
  const { default: own } = await import("../../../package.json", { with: { type: "json" } });
  const { devDependencies, peerDependencies, peerDependenciesMeta } = packageSchema.parse(own);
  const required = Object.keys(peerDependencies).filter(
    (name) => peerDependenciesMeta[name]?.optional !== true,
  );
  return [...required, "typescript", "@types/node"].map((name) => `${name}@${devDependencies[name]}`);
}
