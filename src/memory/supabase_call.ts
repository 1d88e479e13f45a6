import { noAnswer, untilAborted } from "../agents/base/deadline.ts";
import { ServiceRefusedError, ServiceUnavailableError } from "../agents/model_deployer/errors.ts";
import { Circuit } from "../platform/work/circuit.ts";

/** A reply of supabase-js, which rejects only for mistakes in how it is called. */
export interface SupabaseReply {
  data: unknown;
  error: { message: string; code?: string; details?: string | null; hint?: string | null } | null;
  status: number;
}

/** The longest that one request may take, whatever the caller's own deadline is. */
const REQUEST_TIMEOUT_MS = 5_000;

/** One circuit for all memories of a client, which share a service. */
export function memoryCircuit(): Circuit {
  return new Circuit({ service: "supabase", halfOpenAfterMs: 5_000 });
}

/** The folder of the memories' migrations, named in errors for the owner of the Supabase project. */
const SCHEMA_FOLDER = "src/memory/migrations";
/** SQLSTATE for an `on conflict` without a matching constraint: the memories' migrations are missing or old. */
const NO_SUCH_CONSTRAINT = "42P10";

/**
 * Runs one request and returns its data. None is repeated here, since the outbox delivers again by itself.
 * @param what the request in words, such as `store the episode`
 * @param signal ends the wait even where the client ignores it
 * @throws ServiceUnavailableError when there is no answer in time, or the service says that it is unavailable
 * @throws ServiceRefusedError when the service refuses; for a missing table it names the file to run
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
      const why = cause === deadline.reason ? noAnswer(signal, REQUEST_TIMEOUT_MS) : describe(cause);
      throw new ServiceUnavailableError("supabase", `could not ${what}: ${why}`, { cause });
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
