#!/usr/bin/env node
import { createModelDeployer } from "../agents/model_deployer/create_model_deployer.ts";
import { openObserver } from "../observer.ts";
import { endedBySignals } from "./ended_by_signals.ts";
import { runCli } from "./program.ts";

const code = await runCli(process.argv.slice(2), {
  streams: process,
  environment: process.env,
  signal: endedBySignals(process),
  openDeployer: createModelDeployer,
  openObserver,
});
process.exit(code);
