import { randomBytes } from "node:crypto";
import type { SupabaseClient } from "@supabase/supabase-js";
import { ConfigurationError } from "../agents/model_deployer/errors.ts";
import type { Circuit } from "../platform/work/circuit.ts";
import { memoryCircuit } from "./supabase_call.ts";

export interface MemoryClientOptions {
  /** Base URL of a Supabase project. Without it, or empty, the tables at `databaseUrl` are used. */
  supabaseUrl?: string | undefined;
  /** A key of the service role, needed with `supabaseUrl`. Never logged. */
  supabaseKey?: string | undefined;
  /** The Postgres behind the development default; not touched when `supabaseUrl` is set. */
  databaseUrl: string;
}

export interface MemoryClient {
  /** `development default`: supabase-js over PostgREST's answers from this process, on the deployer's own Postgres. */
  readonly kind: "supabase" | "development default";
  readonly circuit: Circuit;
  /** Loads the client library on the first call and connects to nothing; later calls give the same client. */
  client(): Promise<SupabaseClient>;
  /** Closes what the default opened. Idempotent. */
  close(): Promise<void>;
}

/**
 * Describes where the memory tables are; nothing is loaded or connected before the first use.
 *
 * @throws ConfigurationError for a URL without a key, or a URL that is none
 */
export function createMemoryClient(options: MemoryClientOptions): MemoryClient {
  if (options.supabaseUrl !== undefined && options.supabaseUrl !== "") {
    return supabaseClient(options.supabaseUrl, options.supabaseKey);
  }
  return developmentClient(options.databaseUrl);
}

const auth = { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false };

function supabaseClient(url: string, key: string | undefined): MemoryClient {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new ConfigurationError(`SUPABASE_URL is ${JSON.stringify(url)}: give an http or https URL`);
  }
  if (key === undefined || key === "") {
    throw new ConfigurationError("SUPABASE_URL is set without a key: set SUPABASE_KEY to a service role key");
  }
  let client: Promise<SupabaseClient> | undefined;
  return {
    kind: "supabase",
    circuit: memoryCircuit(),
    client: () =>
      (client ??= import("@supabase/supabase-js").then((lib) => lib.createClient(url, key, { auth }))),
    close: () => Promise.resolve(),
  };
}

function developmentClient(databaseUrl: string): MemoryClient {
  interface Opened {
    client: SupabaseClient;
    close(): Promise<void>;
  }
  let opened: Promise<Opened> | undefined;
  const open = async (): Promise<Opened> => {
    const [{ createClient }, { openLocalRest }] = await Promise.all([
      import("@supabase/supabase-js"),
      import("./local_rest/local_rest.ts"),
    ]);
    const secretKey = `sb_secret_${randomBytes(24).toString("hex")}`;
    const rest = openLocalRest(databaseUrl, secretKey);
    // The host is never looked up: every request is answered in this process.
    const client = createClient("http://memory.invalid", secretKey, { auth, global: { fetch: rest.fetch } });
    return { client, close: () => rest.close() };
  };
  return {
    kind: "development default",
    circuit: memoryCircuit(),
    client: async () => (await (opened ??= open())).client,
    close: async () => {
      const closing = opened;
      opened = undefined;
      await (await closing)?.close();
    },
  };
}
