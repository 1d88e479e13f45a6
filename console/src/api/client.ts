import type { z } from "zod";
import { providerSchema, sessionSchema } from "../../../src/service/people/sign_in_schemas.ts";
import { setServerTime } from "../live_clock.ts";
import { principal } from "../session.ts";
import { type Problem, problemSchema } from "./answer_schemas.ts";

/** A refusal or failure of the API, as it said it. */
export class ProblemError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.name = "ProblemError";
    this.problem = problem;
  }
}

interface Call {
  method?: "GET" | "POST" | "DELETE";
  body?: unknown;
  headers?: Record<string, string>;
}

/** Asks the API as who has signed in. @throws ProblemError */
export async function ask<S extends z.ZodType>(
  schema: S,
  path: string,
  call: Call = {},
): Promise<z.output<S>> {
  const answer = await request(path, call);
  return schema.parse(await answer.json());
}

/** @throws ProblemError */
export async function request(
  path: string,
  { method = "GET", body, headers = {} }: Call = {},
): Promise<Response> {
  const answer = await reached(path, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  setServerTime(answer.headers.get("date") ?? "");
  if (answer.ok) return answer;
  if (answer.status === 401) principal.value = null;
  throw new ProblemError(await problemIn(answer));
}

async function reached(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { ...init, cache: "no-store", redirect: "error" });
  } catch {
    const detail = "The server does not answer; `model-deployer up` starts it.";
    throw new ProblemError(problemSchema.parse({ code: "unreachable", detail }));
  }
}

async function problemIn(answer: Response): Promise<Problem> {
  const text = await answer.text();
  const fallback = problemSchema.parse({
    detail: `The server answered ${answer.status} without saying why.`,
  });
  try {
    return problemSchema.catch(fallback).parse(JSON.parse(text));
  } catch {
    return fallback;
  }
}

/** Has the browser keep the token, out of this page's own reach. @throws ProblemError */
export async function signIn(token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}` };
  principal.value = (await ask(sessionSchema, "/v1/session", { method: "POST", headers })).principal;
}

/** The host of where people sign in; null where they do so by tokens alone. */
export async function providerHost(): Promise<string | null> {
  try {
    const { issuer } = await ask(providerSchema, "/v1/oidc");
    return URL.canParse(issuer) ? new URL(issuer).host : null;
  } catch (error) {
    if (error instanceof ProblemError) return null;
    throw error;
  }
}

export async function signOut(): Promise<void> {
  await request("/v1/session", { method: "DELETE" });
  principal.value = null;
}

/** Finds out who has signed in here before. @throws ProblemError when the server does not answer */
export async function checkSession(): Promise<void> {
  try {
    principal.value = (await ask(sessionSchema, "/v1/session")).principal;
  } catch (error) {
    if (!(error instanceof ProblemError) || error.problem.code === "unreachable") throw error;
    principal.value = null;
  }
}
