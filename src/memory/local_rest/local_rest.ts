import pg from "pg";
import { z } from "zod";
import { failureResponse, RestFailure } from "./rest_failure.ts";
import { callStatement, functionLookup, type RestCall, type Statement, tableStatement } from "./statement.ts";

/**
 * The longest that one request may take; waiting longer for a lock is an error of the memory, never of an operation.
 */
const STATEMENT_TIMEOUT_MS = 5_000;

const functionSchema = z.object({
  returns_rows: z.boolean(),
  parameters: z.array(z.object({ name: z.string(), type: z.string() })),
});
const bodySchema = z.object({ body: z.string().nullable() });

export interface LocalRest {
  /** Answers the requests of `supabase-js` for the memories; only Postgres is contacted outside this process. */
  fetch: typeof fetch;
  /** Requests under way end as they would; later ones are answered with 503. */
  close(): Promise<void>;
}

/**
 * PostgREST's answers for the tables and functions of `public` that the memories use: rows by equality and web search,
 * inserts, calls of functions. Whatever else is asked for is refused with 400.
 *
 * @param secretKey what a request has to bring as `apikey`
 */
export function openLocalRest(databaseUrl: string, secretKey: string): LocalRest {
  const pool = openPool(databaseUrl);
  return {
    fetch: async (input, init) => {
      try {
        return await answer(pool, new Request(input, init), secretKey);
      } catch (error) {
        return failureResponse(error);
      }
    },
    close: () => (pool.ending ? Promise.resolve() : pool.end()),
  };
}

async function answer(pool: pg.Pool, request: Request, secretKey: string): Promise<Response> {
  if (request.headers.get("apikey") !== secretKey)
    throw new RestFailure(401, "PGRST301", "the key is unknown");
  const call: RestCall = {
    method: request.method,
    url: new URL(request.url),
    prefer: request.headers.get("prefer") ?? "",
    body: await request.text(),
  };
  const [, first = "", second] = /^\/rest\/v1\/([^/]+)(?:\/([^/]+))?$/.exec(call.url.pathname) ?? [];
  const body = await asService(pool, (run) =>
    first === "rpc" && second !== undefined
      ? calledFunction(run, decodeURIComponent(second), call)
      : run(tableStatement(decodeURIComponent(first), call)).then(([row]) => row),
  );
  if (body === undefined) return new Response(null, { status: 201 });
  return new Response(bodySchema.parse(body).body ?? "null", {
    headers: { "content-type": "application/json" },
  });
}

type Run = (statement: Statement) => Promise<unknown[]>;

async function calledFunction(run: Run, name: string, call: RestCall): Promise<unknown> {
  if (call.method !== "POST") throw new RestFailure(405, "PGRST101", "a function is called by POST");
  const [found] = await run(functionLookup(name, call));
  if (found === undefined) {
    throw new RestFailure(
      404,
      "PGRST202",
      `there is no function public.${name} with parameters of these names`,
    );
  }
  const [row] = await run(callStatement(name, functionSchema.parse(found), call));
  return row;
}

/**
 * Runs a request in one transaction as the service role, so that grants and policies hold here as on Supabase; a user
 * who may not become that role acts as itself. By transaction: behind a pooler the session is somebody else's too.
 */
async function asService<T>(pool: pg.Pool, work: (run: Run) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    await client.query(
      `select set_config('statement_timeout', $1, true),
         case when pg_has_role(to_regrole('service_role'), 'member') then set_config('role', 'service_role', true) end`,
      [String(STATEMENT_TIMEOUT_MS)],
    );
    const done = await work(
      async ({ text, values }) => (await client.query<Record<string, unknown>>(text, values)).rows,
    );
    await client.query("commit");
    client.release();
    return done;
  } catch (error) {
    const isUsable = error instanceof pg.DatabaseError || error instanceof RestFailure;
    const isEnded =
      isUsable &&
      (await client.query("rollback").then(
        () => true,
        () => false,
      ));
    client.release(!isEnded);
    throw error;
  }
}

function openPool(databaseUrl: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: 4,
    connectionTimeoutMillis: 2_000,
    query_timeout: STATEMENT_TIMEOUT_MS,
    idleTimeoutMillis: 10_000,
    application_name: "model_deployer_memory",
  });
  // A killed server is reported to these listeners as well as to the query that hit it. Without them Node ends the
  // process; with them the pool drops the connection and the next query opens another.
  const dropped = () => undefined;
  pool.on("error", dropped);
  pool.on("connect", (client) => client.on("error", dropped));
  return pool;
}
