import pg from "pg";

/** A request that is answered with an error, in PostgREST's form. */
export class RestFailure extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = "RestFailure";
    this.status = status;
    this.code = code;
  }
}

const noMore = { details: null, hint: null };

/** Status codes by SQLSTATE as PostgREST documents them; a failure without SQLSTATE means that there was no server. */
export function failureResponse(error: unknown): Response {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof RestFailure) {
    return Response.json({ code: error.code, message, ...noMore }, { status: error.status });
  }
  if (!(error instanceof pg.DatabaseError) || error.code === undefined) {
    const said = `no connection to Postgres: ${message}`;
    return Response.json({ code: "PGRST001", message: said, ...noMore }, { status: 503 });
  }
  const { code, detail = null, hint = null } = error;
  return Response.json({ code, message, details: detail, hint }, { status: statusOf(code) });
}

function statusOf(sqlState: string): number {
  if (/^(08|53)|^57P0[1-5]/.test(sqlState)) return 503;
  if (sqlState === "42501") return 403;
  if (sqlState === "42883" || sqlState === "42P01") return 404;
  if (sqlState === "23503" || sqlState === "23505") return 409;
  if (sqlState === "42P17") return 500;
  return /^(21|22|23|42|P0001)/.test(sqlState) ? 400 : 500;
}
