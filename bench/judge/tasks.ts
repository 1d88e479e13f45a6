import { defaultJudgeSettings } from "../../src/agents/model_deployer/domain/traffic/rollout_plan.ts";
import { allSignals, judgeAllOnce } from "./all_signals.ts";
import { judgeOnce, peersOnce } from "./judged.ts";
import { alike, tellOnce, worse } from "./late_truths.ts";
import { alikeWindows, watchWindows, worseWindows } from "./metric_windows.ts";
import { peers } from "./peers.ts";
import { judgeQueues, queued } from "./queues.ts";
import { guilty, innocent, watched } from "./scenarios.ts";
import { alikeScores, readLogsOnce, shiftedScores } from "./score_logs.ts";

/** Lists of what can be run, by name, so that a thread finds by its place what it cannot be sent. */
export const LISTS = {
  innocent,
  guilty,
  watched,
  alike,
  worse,
  alikeWindows,
  worseWindows,
  alikeScores,
  shiftedScores,
  allSignals,
  queued,
} as const;

export interface Task {
  list: keyof typeof LISTS;
  index: number;
  seeds: readonly number[];
  /** Seconds, outcomes or windows of one run. */
  length: number;
  /** The candidate has all traffic. */
  alone?: boolean;
  /** Only the judge, not the other ways. */
  withoutPeers?: boolean;
}

/** When each way gave the candidate up, in seconds, outcomes or windows; null where it never did. */
export interface TaskRun {
  judge: number | null;
  peers: (number | null)[];
  challenges?: number;
  challenged?: number;
  isBoundWrong?: boolean;
}

export const runTask = (task: Task): TaskRun[] => task.seeds.map((seed) => runOnce(task, seed));

function runOnce({ list, index, length, alone = false, withoutPeers = false }: Task, seed: number): TaskRun {
  switch (list) {
    case "innocent":
    case "guilty":
    case "watched": {
      const given = found(LISTS[list], index);
      const run = judgeOnce(alone ? { ...given, share: 1 } : given, seed, length);
      const others = withoutPeers ? null : peersOnce(given, seed, length);
      return { ...run, peers: peers.map((peer) => others?.get(peer) ?? null) };
    }
    case "alike":
    case "worse": {
      const { judge, zTest, isBoundWrong } = tellOnce(
        found(LISTS[list], index),
        seed,
        length,
        defaultJudgeSettings.alpha,
      );
      return { judge, peers: [zTest], isBoundWrong };
    }
    case "alikeWindows":
    case "worseWindows": {
      const { judge, threeMisses } = watchWindows(found(LISTS[list], index), seed, length);
      return { judge, peers: [threeMisses] };
    }
    case "alikeScores":
    case "shiftedScores": {
      const { judge, stability } = readLogsOnce(found(LISTS[list], index), seed, length);
      return { judge, peers: [stability] };
    }
    case "queued":
      return { ...judgeQueues(found(queued, index), seed, length), peers: [] };
    case "allSignals":
      return { judge: judgeAllOnce(found(allSignals, index), seed, length), peers: [] };
    default:
      return list satisfies never;
  }
}

function found<T>(list: readonly T[], index: number): T {
  const one = list[index];
  if (one === undefined) throw new RangeError(`there is no row ${index}`);
  return one;
}
