import { lstat, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ServiceUnavailableError } from "../../../../src/agents/model_deployer/errors.ts";
import { digestOfFolder } from "../../../../src/mlops/mlflow/artifacts/artifact_folder.ts";
import { pollUntil } from "../../../../src/testing/poll.ts";
import { errorOf } from "../../../../src/testing/unexpected_outcome.ts";
import { cutAfter, json, text } from "./stub_server.ts";
import { LIST, stubbedStore, URI } from "./stubbed_store.ts";

const signal = new AbortController().signal;

const store = stubbedStore();
const { newStore, artifacts } = store;

describe("fetching that is cut off", () => {
  it("for good leaves what came whole, with which the next one goes on", async () => {
    const files = ["a", "b"].map((path) => ({ path, file_size: 10 }));
    let isCut = true;
    const firstIsWhole = async () => {
      const [incoming = ""] = await artifacts();
      return (await lstat(join(store.directory, incoming, "a"))).size === 10;
    };
    store.server.answerWith((response, request) => {
      if (request.url.startsWith(LIST)) return json({ files })(response, request);
      if (!isCut || request.url.endsWith("/a")) return text("0123456789")(response, request);
      void pollUntil(firstIsWhole, { what: "first file", deadlineMs: 60_000 }).then(() =>
        cutAfter("01234", 10)(response, request),
      );
    });
    const downloads = () =>
      store.server.requests.map(({ url }) => url).filter((url) => !url.startsWith(LIST));
    await expect(newStore().fetch(URI, { signal })).rejects.toThrow(ServiceUnavailableError);
    expect(await artifacts()).toEqual([expect.stringMatching(/^\.incoming-[0-9a-f]{20}$/)]);
    isCut = false;
    const before = downloads().length;
    const { path, digest } = await newStore().fetch(URI, { signal });
    expect(downloads().slice(before)).toEqual([expect.stringMatching(/\/b$/)]);
    expect(await readFile(join(path, "a"), "utf8")).toBe("0123456789");
    expect(await digestOfFolder(path)).toBe(digest);
    expect(await artifacts()).toEqual([digest]);
  });

  it("at its own limit names the setting, and is gone on with", async () => {
    const files = [{ path: "a", file_size: 10 }];
    const released = Promise.withResolvers<undefined>();
    store.server.answerWith((response, request) => {
      if (request.url.startsWith(LIST)) return json({ files })(response, request);
      void released.promise.then(() => text("0123456789")(response, request));
    });
    const limited = newStore({ limitSeconds: 0.2 });
    const cut = await errorOf(limited.fetch(URI, { signal }));
    expect(cut).toMatchObject({ code: "service_refused", retryable: false });
    expect(cut.message).toContain("MODEL_DEPLOYER_FETCH_SECONDS=0.2; raise it and ask again");
    released.resolve(undefined);
    expect((await newStore().fetch(URI, { signal })).digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it("is left alone by whoever has a lower limit, which is named", async () => {
    const files = [{ path: "a", file_size: 10 }];
    const [asked, released] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    store.server.answerWith((response, request) => {
      if (request.url.startsWith(LIST)) return json({ files })(response, request);
      asked.resolve(undefined);
      void released.promise.then(() => text("0123456789")(response, request));
    });
    const first = newStore().fetch(URI, { signal });
    await asked.promise;
    const late = await errorOf(newStore({ limitSeconds: 0.2 }).fetch(URI, { signal }));
    expect(late).toMatchObject({ code: "service_unavailable", retryable: true });
    expect(late.message).toMatch(
      /another process for all of MODEL_DEPLOYER_FETCH_SECONDS=0.2 here.*ask again later/,
    );
    released.resolve(undefined);
    expect((await first).digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it("is waited for by whoever asks for the same meanwhile, and told to both", async () => {
    const files = ["a", "b"].map((path) => ({ path, file_size: 10 }));
    const [begun, released] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
    store.server.answerWith((response, request) => {
      if (request.url.startsWith(LIST)) return json({ files })(response, request);
      begun.resolve(undefined);
      void released.promise.then(() => text("0123456789")(response, request));
    });
    const told: string[] = [];
    const first = newStore().fetch(URI, { signal, onProgress: (line) => told.push(line) });
    await begun.promise;
    const second = newStore().fetch(URI, { signal });
    released.resolve(undefined);
    expect(await second).toEqual(await first);
    expect(store.server.requests.filter(({ url }) => !url.startsWith(LIST))).toHaveLength(2);
    expect(told[0]).toMatch(
      /^the artifact mlflow-artifacts:\/m: fetching \d of 2 files, 0 s of at most 3600 s$/,
    );
  });
});
