#!/usr/bin/env node
import { createModelDeployer } from "../agents/model_deployer/create_model_deployer.ts";
import { openObserver } from "../observer.ts";
import { runCli } from "./program.ts";

const ended = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ended.abort());

const code = await runCli(process.argv.slice(2), {
  streams: process,
  environment: process.env,
  signal: ended.signal,
  openDeployer: createModelDeployer,
  openObserver,
});
process.exit(code);
