/**
 * The testing kit: a whole deployer in memory, states to hand it, and a `Wire` between it and its parts, which
 * records each call and makes calls fail, hang or wait. It needs no service and no test runner; the suites that every
 * adapter has to pass are in `model-deployer/testing/contracts`.
 */
export {
  act,
  type Acting,
  approve,
  deploy,
  deployAtOnce,
  inProduction,
  liveThread,
  promote,
  promoteWithApproval,
  questionOf,
  readyForProduction,
  register,
  type Request,
  type Timed,
  type TrafficSource,
} from "./deployer_actions.ts";
export { assembleDeployer, type AssembledDeployer, TEST_SETTINGS } from "./assemble.ts";
export { type Duration, TestClock } from "./clock.ts";
export {
  createInMemoryDatabase,
  type InMemoryDatabase,
  type TestDatabase,
} from "./in_memory/database/in_memory_database.ts";
export {
  InMemoryEpisodicMemory,
  InMemoryProceduralMemory,
  InMemoryWorkingMemory,
} from "./in_memory/memories.ts";
export { InMemoryModelPackager } from "./in_memory/model_packager.ts";
export { InMemoryModelRegistry } from "./in_memory/model_registry.ts";
export { type Files, modelIdOf, type RunSeed } from "./in_memory/run_seed.ts";
export { signedFiles } from "./in_memory/signed_files.ts";
export { InMemoryModelServer } from "./in_memory/model_server.ts";
export { InMemoryTrafficRouter } from "./in_memory/traffic_router.ts";
export { type Behaviour } from "./in_memory/sent_traffic.ts";
export { pollUntil, type PollOptions, PollTimeoutError } from "./poll.ts";
export { recordProgress } from "./record_progress.ts";
export { seedVersion, type VersionSeed } from "./seeds.ts";
export {
  advanceState,
  afterFeatureAnalyzer,
  afterSkippedAnalysis,
  afterTrainer,
  deployState,
  ENDPOINT,
  EXPERIMENT,
  pipelineIds,
  promoteState,
  registerState,
  rollbackState,
} from "./states.ts";
export {
  APPROVER_TOKEN,
  createTestDeployer,
  type DeployerUnderTest,
  type InMemoryOutside,
  TEST_EXPERIMENT,
  type TestDeployer,
  type TestDeployerOptions,
} from "./test_deployer.ts";
export { errorOf, UnexpectedOutcomeError } from "./unexpected_outcome.ts";
export { type Fault, Wire } from "./wire.ts";
