import nodeModule from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Has Node keep what it compiles of the modules that are loaded from here on, which is half of what a command takes to
 * start. An older Node has no such function, and is told so before this is called. In the deployer's own cache: into a folder for temporary files anybody could put code for others to run.
 */
export function keepCompiled({ MODEL_DEPLOYER_CACHE: cache }: Record<string, string | undefined>): void {
  nodeModule.enableCompileCache(join(cache ?? join(homedir(), ".cache", "model-deployer"), "compiled"));
}
