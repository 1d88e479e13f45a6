import { randomUUID } from "node:crypto";
import fc from "fast-check";
import {
  anotherProcess,
  approve,
  deploy,
  ENDPOINT,
  errorOf,
  type GivenDeployer,
  givenInProduction,
  givenReadyForProduction,
  promoteWithApproval,
  deployAtOnce,
  register,
  promote,
  turnBackActivation,
} from "../../support/deployer.ts";
import type { FaultRow, RowOptions, RowResult } from "../harness/fault_row.ts";
import { type Said, StartedProcess } from "../processes/started_process.ts";
import { snapshotOf } from "../processes/snapshot.ts";
import { openScratchDeployer } from "../harness/scratch.ts";
import { sideBySide } from "../harness/side_by_side.ts";

const HOUR_MS = 3_600_000;
const OFFSETS = [0, -HOUR_MS, HOUR_MS];
const LANES = 3;
const SITUATIONS_IN_SELECTION = 1;
/** Far from an hour, so that no instant of ours looks like one of a shifted clock. */
const RETENTION_SECONDS = 5 * 3600;

/** A situation in which an hour more or less would decide otherwise, and what is asked in it. */
interface Situation {
  name: string;
  prepare: (given: GivenDeployer) => Promise<Record<string, unknown>>;
}

/** The version's shadow has been active for that long. */
async function inShadowFor(given: GivenDeployer, hours: number): Promise<Record<string, unknown>> {
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  await promote(given, version, "shadow");
  const { deployment_id } = await deploy(given, version, "shadow");
  given.router.sendTraffic(ENDPOINT, 1000);
  await turnBackActivation(given, deployment_id, `${hours} hours`);
  return { deployment_action: "promote", model_version_id: version, target_stage: "production" };
}

const situations: Situation[] = [
  { name: "half an hour is missing in shadow", prepare: (given) => inShadowFor(given, 23.5) },
  { name: "half an hour more than needed in shadow", prepare: (given) => inShadowFor(given, 24.5) },
  {
    name: "an approval that ends in half an hour",
    prepare: async (given) => {
      const asked = await inShadowFor(given, 25);
      return approvedUntil(given, asked, "30 minutes");
    },
  },
  {
    name: "an approval that ended half an hour ago",
    prepare: async (given) => {
      const asked = await inShadowFor(given, 25);
      return approvedUntil(given, asked, "-30 minutes");
    },
  },
  {
    name: "a lease that another holds for half an hour",
    prepare: async (given) => {
      await given.db.leases.acquire("e2i_remission_staging", { ttl_seconds: 1800, preempt: false });
      return toStaging(given);
    },
  },
  {
    name: "a lease that ran out half an hour ago",
    prepare: async (given) => {
      await given.db.leases.acquire("e2i_remission_staging", { ttl_seconds: 1800, preempt: false });
      await given.world.sql("update ml_leases set expires_at = clock_timestamp() - interval '30 minutes'");
      return toStaging(given);
    },
  },
  {
    name: "a rollback",
    prepare: async (given) => {
      await givenInProduction(given, "run1");
      const version = await givenReadyForProduction(given, "run2");
      await promoteWithApproval(given, version);
      const { deployment_id } = await deployAtOnce(given, version);
      return {
        deployment_action: "rollback",
        current_deployment_id: deployment_id,
        rollback_reason: "wrong",
      };
    },
  },
];

async function toStaging(given: GivenDeployer): Promise<Record<string, unknown>> {
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  return { deployment_action: "deploy", model_version_id: version, target_stage: "staging" };
}

async function approvedUntil(given: GivenDeployer, asked: Record<string, unknown>, left: string) {
  const request = { ...asked, deployment_action: "promote", request_id: `clock-${randomUUID()}` };
  const { details } = await errorOf(given.agent.execute(request));
  await approve(given, String(details["operation_id"]));
  // It may end before it was given here, which only a clock could bring about otherwise.
  await given.world.sql(
    "alter table ml_approvals drop constraint ml_approvals_check, disable trigger ml_approvals_kept",
  );
  await given.world.sql("update ml_approvals set expires_at = clock_timestamp() + $1::interval", [left]);
  return request;
}

/** The clock of a process is an hour off, by a preload that shifts `Date`; the database's is right. */
export const shiftedClock: FaultRow = {
  name: "shifted-clock",
  fault:
    "a process's clock is an hour early or late: what is decided and what is written down stay as they are",
  run: async (options) => {
    const some = { seed: options.seed, numRuns: SITUATIONS_IN_SELECTION };
    const chosen = options.extent === "whole" ? situations : fc.sample(fc.constantFrom(...situations), some);
    const results = await sideBySide(LANES, chosen, (situation) => runSituation(situation, options));
    return {
      cases: chosen.length * (OFFSETS.length - 1),
      converged: results.reduce((sum, { converged }) => sum + converged, 0),
      lost: 0,
      violations: results.flatMap(({ violations }) => violations),
      notes: results.map(({ note }) => note),
    } satisfies RowResult;
  },
};

async function runSituation(situation: Situation, options: RowOptions) {
  const [right, ...shifted] = await Promise.all(OFFSETS.map((offset) => runOnce(situation, offset, options)));
  const found = shifted.map(({ outcome, violations }) =>
    outcome === right?.outcome ? violations : [...violations, `${outcome} instead of ${right?.outcome}`],
  );
  return {
    converged: found.filter((violations) => violations.length === 0).length,
    violations: found.flat().map((one) => `${situation.name}: ${one}`),
    note: `${situation.name}: ${right?.outcome}`,
  };
}

async function runOnce(situation: Situation, clockOffsetMs: number, { services }: RowOptions) {
  const settings = { retention_seconds: RETENTION_SECONDS };
  const scratch = await openScratchDeployer(services, { settings });
  const { given } = scratch;
  try {
    const request = await situation.prepare(given);
    const process = new StartedProcess(given, {
      holder: "off",
      request,
      clockOffsetMs,
      retentionSeconds: RETENTION_SECONDS,
    });
    const said = await process.said();
    await process.exited();
    await anotherProcess(given).worker.tick();
    const violations = [...(await scratch.violations()), ...(await strangeInstants(given, said))];
    return { outcome: outcomeOf(said), violations: clockOffsetMs === 0 ? [] : violations };
  } finally {
    await scratch.close();
  }
}

function outcomeOf(said: Said): string {
  if ("answer" in said) return String(said.answer["status"]);
  const { code, details } = said.error;
  const unmet: unknown = details["unmet"];
  const named = Array.isArray(unmet) ? unmet.map((one: { criterion: string }) => one.criterion) : [];
  return [code, ...named].join(" ");
}

const INSTANT = /\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00(:00)?)?/g;
const STRANGE = { from: 50 * 60_000, to: 70 * 60_000 };

/** Instants about an hour away from now, which only a shifted clock can have written. */
async function strangeInstants(given: GivenDeployer, said: Said): Promise<string[]> {
  const now = Date.parse(await given.db.clock.now());
  const tables = [...(await snapshotOf(given.world))].map(([table, rows]) => ({ where: table, text: rows }));
  const { spans: _spans, ...answer } = "answer" in said ? said.answer : { spans: null };
  return [...tables, { where: "the answer", text: JSON.stringify(answer) }].flatMap(({ where, text }) =>
    (text.match(INSTANT) ?? []).flatMap((instant) => {
      const utc = instant.replace(" ", "T").replace(/(Z|\+00(:00)?)?$/, "Z");
      const away = Math.abs(Date.parse(utc) - now);
      return away > STRANGE.from && away < STRANGE.to ? [`${where} holds ${instant}, an hour off`] : [];
    }),
  );
}
