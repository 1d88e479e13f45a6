import { untilAborted } from "../agents/base/deadline.ts";
import { ServiceRefusedError, ServiceUnavailableError } from "../agents/model_deployer/errors.ts";
import { Circuit } from "../platform/circuit.ts";

/** What supabase-js resolves to; it rejects only for mistakes in how it is called. */
export interface SupabaseReply {
  data: unknown;
  error: { message: string; code?: string; details?: string | null; hint?: string | null } | null;
  status: number;
}

/** A request has this long, whatever the caller's own deadline is. */
const REQUEST_TIMEOUT_MS = 5_000;

/** One for all memories of a client: they share the service behind it. */
export function memoryCircuit(): Circuit {
  return new Circuit({ service: "supabase", halfOpenAfterMs: 5_000 });
}

/** Holds the files that make what the memories need, named in errors for whoever owns the Supabase project. */
const SCHEMA_FOLDER = "src/memory/migrations";
/** Postgres knows no constraint of the kind that the statement counts on. */
const NO_SUCH_CONSTRAINT = "42P10";

/**
 * Runs one request and gives back its data. None is repeated here: what the outbox brings comes again by itself.
 *
 * @param what the request in words, such as `store the episode`
 * @param signal ends the wait even where the client ignores it
 * @throws ServiceUnavailableError when there is no answer in time, or the answer is that the service cannot
 * @throws ServiceRefusedError when the answer is no; for a missing table it names the file to run
 */
export async function callSupabase(
  circuit: Circuit,
  what: string,
  signal: AbortSignal,
  request: (signal: AbortSignal) => PromiseLike<SupabaseReply>,
): Promise<unknown> {
  return circuit.run(what, signal, async () => {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]);
    const reply = await untilAborted(deadline, request).catch((cause: unknown) => {
      throw new ServiceUnavailableError("supabase", `could not ${what}: ${describe(cause)}`, { cause });
    });
    if (reply.error === null) return reply.data;
    throw failure(what, reply.status, reply.error);
  });
}

function failure(what: string, status: number, error: NonNullable<SupabaseReply["error"]>) {
  const options = { cause: error, details: { status, sql_state: error.code ?? null } };
  const said = `${error.message}${error.hint ? ` (${error.hint})` : ""}`;
  if (status === 0 || status === 408 || status === 429 || status >= 500) {
    return new ServiceUnavailableError("supabase", `could not ${what}: ${said}`, options);
  }
  if (status === 404 || error.code === NO_SUCH_CONSTRAINT) {
    return new ServiceRefusedError(
      "supabase",
      `could not ${what}: ${said}; the memory tables are not there or are older: run the files in ${SCHEMA_FOLDER} on that database, in their order`,
      { ...options, details: { ...options.details, files_to_run: SCHEMA_FOLDER } },
    );
  }
  if (status === 401 || status === 403) {
    return new ServiceRefusedError(
      "supabase",
      `could not ${what}: ${said}; SUPABASE_KEY has to be a key of the service role`,
      options,
    );
  }
  return new ServiceRefusedError("supabase", `could not ${what}: ${said}`, options);
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
