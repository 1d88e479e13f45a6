/**
 * The ports' contracts as suites for vitest: call one at the top of a test file with a function that prepares the
 * implementation.
 */
export { describeDatabase } from "./database_contract.ts";
export type { DatabaseHarness, PrepareDatabase } from "./database/harness.ts";
export { describeEpisodicMemory } from "./memory/episodic_memory_contract.ts";
export { describeProceduralMemory } from "./memory/procedural_memory_contract.ts";
export { describeWorkingMemory } from "./memory/working_memory_contract.ts";
export { describeModelPackager, type PackagerSubject } from "./model_packager_contract.ts";
export { describeModelRegistry } from "./model_registry_contract.ts";
export type { ModelRegistryHarness, SeededRun } from "./model_registry/bench.ts";
export { describeModelServer, type ServerSubject } from "./model_server_contract.ts";
export { describeTeamMetrics, type TeamMetricsSubject } from "./team_metrics_contract.ts";
export { describeTrafficRouter, type TrafficRouterHarness } from "./traffic_router_contract.ts";
