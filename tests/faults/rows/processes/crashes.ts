import {
  crashRow,
  crashRowOfOvertaken,
  crashRowWithOthers,
  crashRowWithRivals,
} from "../../crash/crash_row.ts";
import { deploying, undoing } from "../../crash/scenarios/deployments.ts";
import { overtaken } from "../../crash/scenarios/overtaken.ts";
import { rollingBack } from "../../crash/scenarios/rollbacks.ts";
import { routing } from "../../crash/scenarios/routing.ts";
import { expiring, promoting, registering } from "../../crash/scenarios/stages.ts";
import { atTheLastMoment, comingBack } from "../../crash/scenarios/ways_back.ts";
import { working } from "../../crash/scenarios/worker.ts";
import type { FaultRow } from "../../harness/fault_row.ts";

export const crashRows: readonly FaultRow[] = [
  crashRow("crash-register", "a registration", registering),
  crashRow("crash-promote", "promotions and an archival", promoting),
  crashRow("crash-deploy", "deployments", deploying),
  crashRow("crash-undo", "deployments that fail and are undone", undoing),
  crashRow("crash-roll-back", "rollbacks", rollingBack),
  crashRow("crash-worker", "a worker's round", working),
  crashRow("crash-approval", "promotions whose approval expires before anybody carries them on", expiring, {
    most: 30,
  }),
  crashRow("crash-router", "the real router, in a switch of traffic and a rollback", routing, {
    router: "envoy",
  }),
];

/** Ways back, and others who ask while nobody carries on. */
export const contestedCrashRows: readonly FaultRow[] = [
  crashRow(
    "crash-ways-back",
    "ways back by name, of what drains or was archived, a retry, and a run registered again",
    comingBack,
  ),
  crashRowWithOthers("crash-second-caller", [...registering, ...promoting, ...deploying, ...rollingBack]),
  crashRowWithRivals("crash-rivals", [...rollingBack, ...comingBack, atTheLastMoment]),
  crashRowOfOvertaken("crash-overtaken", overtaken),
];
