/**
 * What every implementation of a port keeps to, as suites for vitest: call one at the top of a test file with a way to
 * prepare the implementation.
 */
export { describeDatabase } from "./database.ts";
export type { DatabaseHarness, PrepareDatabase } from "./database/harness.ts";
export { describeEpisodicMemory } from "./memory/episodic_memory.ts";
export { describeProceduralMemory } from "./memory/procedural_memory.ts";
export { describeWorkingMemory } from "./memory/working_memory.ts";
export { describeModelPackager, type PackagerSubject } from "./model_packager.ts";
export { describeModelRegistry } from "./model_registry.ts";
export type { ModelRegistryHarness, SeededRun } from "./model_registry/bench.ts";
export { describeModelServer, type ServerSubject } from "./model_server.ts";
export { describeTrafficRouter, type TrafficRouterHarness } from "./traffic_router.ts";
