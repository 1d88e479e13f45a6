import { describe, expect, it } from "vitest";
import { createMemoryClient } from "../../../src/memory/supabase_client.ts";

const databaseUrl = "postgresql://127.0.0.1:1/none";

describe("createMemoryClient", () => {
  it("means Supabase where a URL is given, and the default where it is missing or empty", () => {
    const options = { supabaseUrl: "https://project.example", supabaseKey: "key", databaseUrl };
    expect(createMemoryClient(options).kind).toBe("supabase");
    expect(createMemoryClient({ databaseUrl }).kind).toBe("development default");
    expect(createMemoryClient({ databaseUrl, supabaseUrl: "" }).kind).toBe("development default");
  });

  it.each([undefined, ""])("refuses a URL with the key %j", (supabaseKey) => {
    const options = { supabaseUrl: "https://project.example", supabaseKey, databaseUrl };
    expect(() => createMemoryClient(options)).toThrow(/SUPABASE_KEY/);
  });

  it.each(["project.example", "ftp://project.example"])("refuses %j as a URL", (supabaseUrl) => {
    expect(() => createMemoryClient({ supabaseUrl, supabaseKey: "key", databaseUrl })).toThrow(
      /SUPABASE_URL/,
    );
  });

  it("gives the same client each time", async () => {
    const memory = createMemoryClient({
      supabaseUrl: "https://project.example",
      supabaseKey: "key",
      databaseUrl,
    });
    expect(await memory.client()).toBe(await memory.client());
  });
});
