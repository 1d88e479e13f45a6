import type { DeployerDatabase } from "../../database/index.ts";
import type { WorkProgress } from "../../platform/work/work_progress.ts";
import type { StatusReport } from "../report_schemas.ts";
import { lateNotices, lateOutbox } from "./status_problems.ts";

export interface ObservedMachine {
  database: DeployerDatabase;
  /** Sentences about disks that are nearly full. */
  shortages(): Promise<string[]>;
  /** Long work under way on this machine. */
  underWay(): Promise<WorkProgress[]>;
}

/** Work that is under way on the machine, and the part of it that does not do what it should, whatever the endpoint. */
export async function machineStatus({
  database,
  ...observer
}: ObservedMachine): Promise<Pick<StatusReport, "under_way" | "degraded">> {
  const [now, outbox, sinks, shortages, underWay] = await Promise.all([
    database.clock.now(),
    database.overview.outbox(),
    database.sinks.list(),
    observer.shortages(),
    observer.underWay(),
  ]);
  const under_way = underWay.map(({ what, doing, seconds, limit_seconds }) => ({
    ...{ what, doing, seconds, limit_seconds },
  }));
  return { under_way, degraded: [...lateOutbox(outbox, now), ...lateNotices(sinks), ...shortages] };
}
