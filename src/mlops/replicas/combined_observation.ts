import type {
  PredictionLoad,
  ReplicaObservation,
  ServerObservation,
} from "../../agents/model_deployer/ports/model_server_port.ts";

export interface SeenReplica {
  replica: number;
  observed: ServerObservation;
}

type Ready = Extract<ServerObservation, { state: "ready" }>;

/**
 * The deployment as a whole: ready where one of its servers is, else the best that one of them is. Pure.
 *
 * @param isLeftBehind whether a server that is one too many still runs
 */
export function combined(seen: readonly SeenReplica[], isLeftBehind: boolean): ServerObservation {
  const all = seen.map(({ observed }) => observed);
  const ready = all.filter((one) => one.state === "ready");
  const first = ready[0];
  if (first === undefined) {
    const states = ["unresponsive", "starting", "failed"] as const;
    const found = states.flatMap((state) => all.filter((one) => one.state === state));
    return found[0] ?? { state: "absent" };
  }
  const predictions = sumOf(ready);
  const isReplaced = isLeftBehind || ready.some(({ replaced }) => replaced === true);
  return {
    state: "ready",
    host: first.host,
    port: first.port,
    bento_tag: (ready.find(({ bento_tag }) => bento_tag !== first.bento_tag) ?? first).bento_tag,
    ...(predictions !== null && { predictions }),
    ...(isReplaced && { replaced: true }),
    ...(ready.some(({ outdated }) => outdated === true) && { outdated: true }),
    replicas: seen.flatMap(replicaOf),
  };
}

function replicaOf({ replica, observed }: SeenReplica): ReplicaObservation[] {
  const nowhere = { host: "127.0.0.1", port: 0 };
  switch (observed.state) {
    case "ready":
      return [{ replica, state: "ready", host: observed.host, port: observed.port }];
    case "unresponsive": {
      const { state, host, port, reason } = observed;
      return [{ replica, state, host, port, reason }];
    }
    case "failed":
      return [{ replica, ...nowhere, state: "failed", reason: observed.reason }];
    case "starting":
      return [{ replica, ...nowhere, state: "starting" }];
    case "absent":
      return [];
    default:
      return observed satisfies never;
  }
}

function sumOf(ready: readonly Ready[]): PredictionLoad | null {
  const loads = ready.flatMap(({ predictions }) => predictions ?? []);
  if (loads.length === 0) return null;
  const sum = (of: (load: PredictionLoad) => number) => loads.reduce((total, load) => total + of(load), 0);
  return {
    threads: sum(({ threads }) => threads),
    under_way: sum(({ under_way }) => under_way),
    waiting: sum(({ waiting }) => waiting),
    hung: sum(({ hung }) => hung),
    oldest_seconds: Math.max(...loads.map(({ oldest_seconds }) => oldest_seconds)),
  };
}
