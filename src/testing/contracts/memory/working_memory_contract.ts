import { describe, expect, it } from "vitest";
import type { WorkingMemory } from "../../../agents/model_deployer/ports/memory_ports.ts";
import { callOptions, newSessionId } from "./examples.ts";

/** The contract of working memory. `open` is called once for each test. */
export function describeWorkingMemory(name: string, open: () => WorkingMemory): void {
  describe(`${name} as working memory`, () => {
    it("recalls the manifest that it remembered", async () => {
      const memory = open();
      const sessionId = newSessionId();
      const manifest = { deployment_id: "dep_1", traffic: { dep_1: 100 }, note: "é ✓", none: null };
      await memory.rememberManifest(sessionId, manifest, callOptions());
      expect(await memory.recallManifest(sessionId, callOptions())).toEqual(manifest);
    });

    it("keeps the newest manifest of a session", async () => {
      const memory = open();
      const sessionId = newSessionId();
      await memory.rememberManifest(sessionId, { status: "deploying" }, callOptions());
      await memory.rememberManifest(sessionId, { status: "active" }, callOptions());
      expect(await memory.recallManifest(sessionId, callOptions())).toEqual({ status: "active" });
    });

    it("knows nothing of a session that was never there", async () => {
      expect(await open().recallManifest(newSessionId(), callOptions())).toBeNull();
    });

    it("gives each session its own manifest", async () => {
      const memory = open();
      const [one, other] = [newSessionId(), newSessionId()];
      await memory.rememberManifest(one, { deployment_id: "dep_1" }, callOptions());
      expect(await memory.recallManifest(other, callOptions())).toBeNull();
    });

    it.each([
      "",
      "sess_1",
      "sess_ABCDEFGHIJKLMNOP",
      "sess_0123456789abcdef\n",
      "sess_0123456789abcdef:messages",
      "../sess_0123456789abcdef",
    ])("refuses the session id %j", async (sessionId) => {
      const memory = open();
      const refusal = { code: "invalid_request" };
      await expect(memory.rememberManifest(sessionId, {}, callOptions())).rejects.toMatchObject(refusal);
      await expect(memory.recallManifest(sessionId, callOptions())).rejects.toMatchObject(refusal);
    });

    it("refuses a manifest that is too large, and leaves the old one", async () => {
      const memory = open();
      const sessionId = newSessionId();
      await memory.rememberManifest(sessionId, { status: "active" }, callOptions());
      const huge = { note: "x".repeat(256 * 1024) };
      await expect(memory.rememberManifest(sessionId, huge, callOptions())).rejects.toMatchObject({
        code: "service_refused",
      });
      expect(await memory.recallManifest(sessionId, callOptions())).toEqual({ status: "active" });
    });

    it.each([{ when: new Date(0) }, { auc: NaN }, { act: () => 1 }])(
      "refuses what JSON cannot hold: %o",
      async (manifest) => {
        const remembered = open().rememberManifest(newSessionId(), manifest, callOptions());
        await expect(remembered).rejects.toMatchObject({ code: "service_refused" });
      },
    );

    it("does not answer a caller whose deadline has passed", async () => {
      const signal = AbortSignal.abort();
      const recalled = open().recallManifest(newSessionId(), { signal });
      await expect(recalled).rejects.toMatchObject({ code: "service_unavailable" });
    });
  });
}
