import { expect, onTestFinished } from "vitest";
import type { z } from "zod";
import { type Api, type ApiOptions, createApi } from "../../../src/api/api.ts";
import { problemSchema } from "../../../src/api/problem.ts";
import {
  createTestDeployer,
  type TestDeployer,
  type TestDeployerOptions,
} from "../../../src/testing/index.ts";
import { servedInMemory } from "./served_in_memory.ts";

export const ANAS_TOKEN = "ana-has-a-long-secret";

export interface Asked {
  method?: string;
  token?: string | null;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export interface GivenApi {
  deployer: TestDeployer;
  api: Api;
  /** Errors that are none of ours. */
  unexpected: unknown[];
  ask: (path: string, asked?: Asked) => Promise<Response>;
  /** The answer's body, as the schema has it. */
  get: <S extends z.ZodType>(schema: S, path: string, asked?: Asked) => Promise<z.output<S>>;
  problem: (path: string, asked?: Asked) => Promise<z.infer<typeof problemSchema>>;
}

/** The API over a deployer in memory, whose router `guards` its endpoints where that is said; `ana` asks, unless told. */
export async function givenApi(
  options: TestDeployerOptions &
    Pick<ApiOptions, "limits" | "signIns" | "publicUrl"> & { guards?: true } = {},
): Promise<GivenApi> {
  const deployer = await createTestDeployer(options);
  await deployer.database.principals.enrol("ana", ANAS_TOKEN);
  const unexpected: unknown[] = [];
  const api = createApi({
    ...servedInMemory(deployer, options),
    onUnexpected: (error) => unexpected.push(error),
    ...(options.limits && { limits: options.limits }),
    ...(options.signIns && { signIns: options.signIns }),
    publicUrl: options.publicUrl ?? null,
  });
  onTestFinished(() => {
    api.end();
  });
  const ask: GivenApi["ask"] = async (path, { method, token = ANAS_TOKEN, body, headers, signal } = {}) =>
    api.fetch(
      new Request(`http://127.0.0.1:8300${path}`, {
        method: method ?? (body === undefined ? "GET" : "POST"),
        headers: {
          host: "127.0.0.1:8300",
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
        ...(signal && { signal }),
      }),
    );
  return {
    deployer,
    api,
    unexpected,
    ask,
    get: async (schema, path, asked) => schema.parse(await (await ask(path, asked)).json()),
    problem: async (path, asked) => {
      const response = await ask(path, asked);
      // A stream that is served instead would have no end.
      expect(response.ok, `${path} is refused`).toBe(false);
      return problemSchema.parse(await response.json());
    },
  };
}
