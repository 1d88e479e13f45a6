import type { Context, Hono } from "hono";
import { NotFoundError } from "../agents/model_deployer/errors.ts";
import { MethodNotAllowedError } from "./api_errors.ts";
import { problemResponse } from "./problem.ts";

const METHODS = ["GET", "POST", "PUT", "DELETE"];

/** The answer where nothing is served: 405 with `Allow` where another method of the same path is, 404 else. */
export function answerUnknown(app: Hono, { req }: Context): Response {
  const allowed = METHODS.filter((method) => isServed(app, method, req.path));
  if (allowed.length === 0) {
    return problemResponse(
      new NotFoundError(`${req.method} ${req.path} does not exist; /v1/openapi.json lists what does.`),
    );
  }
  const methods = allowed.join(", ");
  const response = problemResponse(
    new MethodNotAllowedError(`${req.path} has no ${req.method}; it answers ${methods}.`),
  );
  response.headers.set("allow", methods);
  return response;
}

/** Checks of every request count for no method. */
function isServed(app: Hono, method: string, path: string): boolean {
  const [found] = app.router.match(method, path);
  return found.some(([[, route]]) => route.method !== "ALL");
}
