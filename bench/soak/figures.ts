import type { Figure } from "./flatness.ts";
import { countOf } from "./held/open_files.ts";
import type { Reading } from "./readings.ts";

/** Tables whose rows are kept of each release, for ever or for a day at least: docs/operating.md. All others have to be flat. */
const OF_RELEASES = new Set([
  ...["ml_approvals", "ml_audit", "ml_deployments", "ml_leases", "ml_model_registry", "ml_operation_steps"],
  ...["ml_operations", "ml_outbox", "ml_rollout_history", "ml_rollout_looks", "ml_rollouts"],
  ...["ml_shadow_comparisons", "ml_shadow_evidence", "ml_stage_history", "ml_traffic_history"],
  ...["ml_verdict_history", "episodic_memories", "procedural_memories", "procedural_memory_uses"],
]);
/** Folders that grow by what others keep of each release: the registry its runs, the database its rows. */
const GROWN_BY_RELEASES = new Set(["mlflow", "postgres"]);
/** Postgres writes segments of 16 MiB. */
const WAL_SLACK = 48;

const PROCESSES: readonly Figure[] = [
  { name: "worker's heap after gc, MiB", grows: "level", of: ({ worker }) => worker.heap, slack: 2 },
  { name: "worker's native memory, MiB", grows: "level", of: ({ worker }) => worker.native, slack: 8 },
  { name: "worker's memory but for V8's room, MiB", grows: "level", of: memoryInUse, slack: 16 },
  { name: "worker's open files", grows: "level", of: ({ worker }) => countOf(worker.files), slack: 5 },
  { name: "most open files of it", grows: "level", of: ({ worker }) => countOf(worker.mostFiles), slack: 20 },
  { name: "largest router's memory, MiB", grows: "level", of: (one) => one.routerMemory, slack: 3 },
  { name: "a router's open files", grows: "level", of: (one) => one.routerFiles, slack: 5 },
  { name: "servers", grows: "level", of: (one) => one.servers, slack: 1 },
  { name: "memory of all servers, MiB", grows: "level", of: (one) => one.serverMemory, slack: 120 },
];

/** What is judged: the processes, each folder of the home, and each table that has rows. */
export function figuresOf(readings: readonly Reading[]): Figure[] {
  const namesOf = (of: (one: Reading) => object) => [
    ...new Set(readings.flatMap((one) => Object.keys(of(one)))),
  ];
  const folders = namesOf(({ folders: sizes }) => sizes).map((name): Figure => ({
    name: `${name}, MiB`,
    grows: GROWN_BY_RELEASES.has(name) ? "release" : "level",
    of: (one) => one.folders[name] ?? 0,
    slack: name.endsWith("pg_wal") ? WAL_SLACK : 4,
  }));
  const tables = namesOf(({ database }) => database.tables).map((name): Figure => ({
    name,
    grows: OF_RELEASES.has(name) ? "release" : "level",
    of: (one) => one.database.tables[name]?.rows ?? 0,
    slack: 20,
  }));
  const hasAny = ({ of }: Figure) => readings.some((one) => of(one) >= 0.05);
  return [...PROCESSES, ...[...folders, ...tables].filter(hasAny)];
}

/** V8 gives room back only when it is idle, so a burst stays to be seen in the whole. */
function memoryInUse({ worker }: Reading): number {
  return worker.memory - worker.room;
}

export const rowsOf = ({ database }: Reading): number =>
  Object.values(database.tables).reduce((sum, { rows }) => sum + rows, 0);

export const diskOf = ({ folders }: Reading): number =>
  Object.values(folders).reduce((sum, size) => sum + size, 0);
