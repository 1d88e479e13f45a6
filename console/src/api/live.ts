import { batch } from "@preact/signals";
import type { z } from "zod";
import {
  behindBecause,
  connection,
  forgetAll,
  historyRevision,
  isKnown,
  takeEndpoints,
  takeOperations,
  takeVitals,
} from "../store.ts";
import { feedSchemas, problemSchema } from "./answer_schemas.ts";
import { checkSession, ProblemError } from "./client.ts";

/** Follows what changes; the browser comes back by itself when the stream breaks. Returns how it is left. */
export function followChanges(): () => void {
  const stream = new EventSource("/v1/events");
  const on = <S extends z.ZodType>(event: string, schema: S, take: (data: z.output<S>) => void) => {
    stream.addEventListener(event, ({ data }: MessageEvent<string>) => take(schema.parse(JSON.parse(data))));
  };
  const views = queued(takeEndpoints);
  const reports = queued(takeOperations);
  const vitals = queued(takeVitals);
  stream.addEventListener("open", () => {
    batch(() => {
      forgetAll();
      takeFeed({ is_current: true, reason: null });
    });
    // An empty installation sends nothing more.
    setTimeout(() => {
      isKnown.value = true;
    }, SETTLE_MS);
  });
  stream.addEventListener("error", () => {
    fallBehind("The connection was lost; the page comes back by itself.");
    checkSession().catch((error: unknown) => {
      if (error instanceof ProblemError) fallBehind(error.message);
    });
  });
  on("endpoint", feedSchemas.endpoint, views);
  on("operation", feedSchemas.operation, reports);
  on("vitals", feedSchemas.vitals, vitals);
  on("history", feedSchemas.history, ({ rows }) => {
    historyRevision.value += rows;
  });
  on("feed", feedSchemas.feed, takeFeed);
  on("problem", problemSchema, ({ detail }) => {
    fallBehind(detail);
  });
  return () => {
    stream.close();
  };
}

const SETTLE_MS = 400;

/** Events that come within one frame are taken together, so that 200 endpoints are drawn once. */
function queued<T>(take: (all: T[]) => void): (one: T) => void {
  let waiting: T[] = [];
  return (one) => {
    waiting.push(one);
    if (waiting.length > 1) return;
    requestAnimationFrame(() => {
      const all = waiting;
      waiting = [];
      batch(() => {
        take(all);
        isKnown.value = true;
      });
    });
  };
}

function takeFeed({ is_current, reason }: { is_current: boolean; reason: string | null }): void {
  behindBecause.value = is_current ? null : (reason ?? "The deployer's database does not answer.");
  connection.value = is_current ? "live" : "behind";
}

function fallBehind(reason: string): void {
  behindBecause.value = reason;
  connection.value = "behind";
}
