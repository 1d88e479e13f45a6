import { randomUUID } from "node:crypto";
import pg from "pg";
import { z } from "zod";
import type { Drift } from "../../../agents/model_deployer/reconciliation/decide.ts";
import { lookAtEndpoint } from "../../../agents/model_deployer/reconciliation/gather.ts";
import { Liveness } from "../../../agents/model_deployer/effects/remembered_misses.ts";
import type { StoredEndpointFacts } from "../../../agents/model_deployer/ports/stores/entity_stores.ts";
import type { Configuration } from "../../../wiring/settings/configuration.ts";
import { createDatabase, type DeployerDatabase } from "../../../database/index.ts";
import { countMissing } from "../../../database/migrate.ts";
import { toAgentError } from "../../../database/connection/sqlstate.ts";
import type { findLocalServices } from "../../../platform/services/local_services.ts";
import { count } from "../../../agents/model_deployer/planning/wording/count.ts";
import { observedEngines } from "../../../wiring/engines/observed_engines.ts";
import { findingOfEngines } from "./doctor_engines.ts";
import { check, fine, type DoctorFinding, notStarted, weak } from "./doctor_finding.ts";
import type { Check } from "../../../service/machine/machine_schemas.ts";

const SEEN_SECONDS = 30;
const LATE_SECONDS = 60;

/** Checks Postgres, and all that only it knows: worker, operations, outbox, drift. */
export function checkDatabase(
  configuration: Configuration,
  local: Partial<Awaited<ReturnType<typeof findLocalServices>>>,
): Promise<Check>[] {
  const url = configuration.databaseUrl ?? local.databaseUrl;
  if (url === undefined) return [check("postgres", () => Promise.resolve(notStarted("Postgres")))];
  const server = check("postgres", () => checkServer(url));
  const looked = (look: (database: DeployerDatabase) => Promise<DoctorFinding>) => async () => {
    if ((await server).state === "down") return weak("not looked at", "see postgres");
    const pool = { maximumConnections: 1, connectionTimeoutMs: 4000, statementTimeoutMs: 4000 };
    const database = createDatabase({ url, holder: `doctor:${randomUUID()}`, pool });
    try {
      return await look(database);
    } finally {
      await database.close();
    }
  };
  return [
    server,
    check("rights", looked(checkRights)),
    check("worker", looked(checkWorker)),
    check("operations", looked(checkOperations)),
    check("outbox", looked(checkOutbox)),
    check("ways back", looked(checkWaysBack)),
    check(
      "engines",
      looked((database) => findingOfEngines(database, configuration)),
    ),
    check(
      "drift",
      looked((database) => checkDrift(database, configuration)),
    ),
  ];
}

const serverRow = z.object({ version: z.string(), role: z.string(), rolsuper: z.boolean() });

async function asked<T>(url: string, ask: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 4000, query_timeout: 4000 });
  client.on("error", () => undefined); // the rejected query says the same
  try {
    await client.connect();
    return await ask(client);
  } catch (error) {
    throw toAgentError(error);
  } finally {
    await client.end();
  }
}

function checkServer(url: string): Promise<DoctorFinding> {
  return asked(url, async (client) => {
    const { rows } = await client.query(
      `select current_setting('server_version') as version, current_user as role, rolsuper
       from pg_roles where rolname = current_user`,
    );
    const { version, role, rolsuper } = serverRow.parse(rows[0]);
    const found = `PostgreSQL ${version} as ${role}${rolsuper ? ", a superuser" : ""}`;
    const missing = await countMissing(async (sql) => (await client.query<{ name: string }>(sql)).rows);
    if (missing === 0) return fine(found);
    return weak(
      `${found}; ${missing} migrations are missing`,
      "the next command that needs them applies them",
    );
  });
}

const tableRow = z.object({ has_table: z.boolean() });

/** Checks the database in which a worker keeps its steps as threads. */
export async function checkCheckpoints({ checkpointsUrl: url }: Configuration): Promise<DoctorFinding> {
  if (url === null) return fine("MODEL_DEPLOYER_CHECKPOINTS_URL is not set: a worker keeps no threads");
  const { rows } = await asked(url, (client) =>
    client.query("select to_regclass('public.checkpoints') is not null as has_table"),
  );
  if (tableRow.parse(rows[0]).has_table) return fine("answers");
  return weak("answers, but holds no threads yet", "run a worker with it: model-deployer worker");
}

async function checkRights(database: DeployerDatabase): Promise<DoctorFinding> {
  const { role, degraded, way_up } = await database.rights();
  if (degraded === null && way_up !== null)
    return weak(`statements run as ${role}, which their login can leave`, way_up);
  if (degraded === null) return fine(`statements run as ${role}, with no more rights than they need`);
  return weak(`statements run as ${role}, which may do more than they need`, degraded);
}

async function checkWorker({ overview }: DeployerDatabase): Promise<DoctorFinding> {
  const workers = await overview.workers();
  const seen = workers.filter((one) => one.seconds_ago < SEEN_SECONDS);
  if (seen.length > 0) return fine(`${seen.length} seen within ${SEEN_SECONDS} s`);
  const last = workers[0];
  const found = last === undefined ? "none was ever seen" : `none seen since ${last.seen_at}`;
  return weak(found, "run one: model-deployer worker; until then rollouts stand still");
}

async function checkOperations({ overview }: DeployerDatabase): Promise<DoctorFinding> {
  const open = await overview.openOperations();
  const waiting = open.filter((one) => one.status === "awaiting_approval");
  const held = new Set((await overview.leases()).map((lease) => lease.name));
  const left = open.filter((one) => one.status !== "awaiting_approval" && !held.has(one.lease_name));
  const found = `${left.length} interrupted, ${waiting.length} wait for an approval`;
  const [first] = left;
  if (first === undefined) return fine(found);
  return weak(found, `a worker carries them on, or: model-deployer resume-operation ${first.operation_id}`);
}

/** Whether a cold rollback was tried, and what came of it. */
async function checkWaysBack({ rehearsals }: DeployerDatabase): Promise<DoctorFinding> {
  const kept = await rehearsals.newest();
  const bad = kept.find(({ outcome }) => outcome === "fails" || outcome === "unready");
  if (bad !== undefined) {
    return weak(
      `${bad.endpoint_name}, ${bad.rehearsed_at.slice(0, 16)}: ${bad.reason}`,
      "model-deployer rehearse",
    );
  }
  if (kept.length === 0) return fine("no way back was rehearsed yet: model-deployer rehearse");
  const slowest = Math.max(0, ...kept.map(({ cold_seconds }) => cold_seconds ?? 0));
  const oldest = kept.map(({ rehearsed_at }) => rehearsed_at).sort()[0] ?? "";
  return fine(
    `${count(kept.length, "endpoint")} rehearsed since ${oldest.slice(0, 10)}, at most ${slowest.toFixed(1)} s from cold`,
  );
}

async function checkOutbox({ overview, clock }: DeployerDatabase): Promise<DoctorFinding> {
  const [{ waiting, oldest, last_error: error }, now] = await Promise.all([overview.outbox(), clock.now()]);
  if (oldest === null) return fine("everything is delivered");
  const seconds = (Date.parse(now) - Date.parse(oldest)) / 1000;
  const found = `${waiting} messages wait, the oldest for ${Math.round(seconds)} s`;
  if (seconds < LATE_SECONDS) return fine(found);
  return weak(found, error === null ? "run a worker" : `what stopped them last: ${error}`);
}

const DRIFT_MS = 5000;
const PAGE = 50;

/** Compares endpoints and servers with the database as the reconciler does, and repairs nothing. */
async function checkDrift(database: DeployerDatabase, configuration: Configuration): Promise<DoctorFinding> {
  const { reconciliation, clock } = database;
  const { server, router } = await observedEngines(configuration, database);
  const parts = { server, router, clock, liveness: new Liveness(configuration.liveness) };
  const options = { signal: AbortSignal.timeout(DRIFT_MS) };
  const [drifts, unchecked]: [Drift[], string[]] = [[], []];
  let [checked, after]: [number, string | null] = [0, null];
  do {
    const page: StoredEndpointFacts[] = await reconciliation.endpoints({ after, limit: PAGE });
    const found = await Promise.all(page.map((stored) => lookAtEndpoint(stored, parts, unchecked, options)));
    drifts.push(...found.flatMap((one) => one.drifts));
    checked += page.length;
    after = page.length < PAGE ? null : (page.at(-1)?.endpoint.endpoint_name ?? null);
  } while (after !== null);
  const [first] = drifts;
  if (first !== undefined) {
    const others = drifts.length === 1 ? "" : `, and ${drifts.length - 1} more`;
    return weak(
      `${first.subject} has ${first.found} and not ${first.wanted}${others}`,
      "model-deployer reconcile",
    );
  }
  if (unchecked.length > 0) return weak(unchecked.join("; "), "see why it does not answer");
  const verb = checked === 1 ? "does" : "do";
  return fine(`${count(checked, "endpoint")} ${verb} what the database wants`);
}
