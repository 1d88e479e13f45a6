import { lstat, mkdir, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ArtifactRejectedError, ServiceRefusedError } from "../../../../src/agents/model_deployer/errors.ts";
import { digestOfFolder } from "../../../../src/mlops/mlflow/artifacts/artifact_folder.ts";
import { cutAfter, json, text } from "./stub_server.ts";
import { LIST, stubbedStore, URI } from "./stubbed_store.ts";

const signal = new AbortController().signal;

interface Entry {
  path: string;
  is_dir?: boolean;
  file_size?: number;
}

const store = stubbedStore();
const { newStore, artifacts } = store;

/** Every folder named `m` lists the entries; every file holds `body`. */
function serve(entries: Entry[], body = "0123456789"): void {
  store.server.answerWith((response, request) => {
    const listed = decodeURIComponent(request.url).startsWith(`${LIST}m`);
    const answer = request.url.startsWith(LIST) ? json({ files: listed ? entries : [] }) : text(body);
    answer(response, request);
  });
}

async function expectNothingLeft(): Promise<void> {
  expect((await readdir(store.parent)).filter((name) => name !== "artifacts")).toEqual([]);
  expect(await artifacts()).toEqual([]);
}

describe("a listing that lies", () => {
  it.each([
    "../evil",
    "..",
    ".",
    "",
    "a/b",
    "/etc/passwd",
    "a\\b",
    "a\nb",
    "a\0b",
    "%2e%2e",
    "a#b",
    "x".repeat(256),
  ])("with the name %j is refused before anything is written", async (path) => {
    serve([{ path, file_size: 10 }]);
    await expect(newStore().fetch(URI, { signal })).rejects.toThrow(ArtifactRejectedError);
    await expectNothingLeft();
  });

  it.each(["..", "../evil", "/etc", "a\0b", "%2e%2e"])(
    "with the folder %j, or with it in a folder, is refused before anything is written",
    async (path) => {
      const lie = [{ path, is_dir: true }];
      serve(lie);
      await expect(newStore().fetch(URI, { signal })).rejects.toThrow(ArtifactRejectedError);
      store.server.answerWith((response, request) => {
        const inside = decodeURIComponent(request.url).endsWith("m/deep");
        const files = inside ? lie : [{ path: "a" }, { path: "deep", is_dir: true }];
        return (request.url.startsWith(LIST) ? json({ files }) : text("01234"))(response, request);
      });
      await expect(newStore().fetch(URI, { signal })).rejects.toThrow(ArtifactRejectedError);
      await expectNothingLeft();
    },
  );

  it("with a folder inside itself without end is refused", async () => {
    serve([{ path: "m", is_dir: true }]);
    await expect(newStore().fetch(URI, { signal })).rejects.toThrow(ArtifactRejectedError);
    await expectNothingLeft();
  });

  it("with the same file twice is refused", async () => {
    serve([{ path: "a" }, { path: "a" }]);
    await expect(newStore().fetch(URI, { signal })).rejects.toThrow(ArtifactRejectedError);
    await expectNothingLeft();
  });

  it("about a file's size is refused", async () => {
    serve([{ path: "a", file_size: 9 }]);
    await expect(newStore().fetch(URI, { signal })).rejects.toThrow(ServiceRefusedError);
    await expectNothingLeft();
  });
});

describe("limits", () => {
  const files = ["a", "b", "c"].map((path) => ({ path, file_size: 10 }));

  it("on the number of files", async () => {
    serve(files);
    await expect(newStore({ maximumFiles: 2 }).fetch(URI, { signal })).rejects.toThrow(/2 files/);
    await expectNothingLeft();
    expect((await newStore({ maximumFiles: 3 }).fetch(URI, { signal })).digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it("on the bytes that are listed", async () => {
    serve(files);
    await expect(newStore({ maximumBytes: 29 }).fetch(URI, { signal })).rejects.toThrow(/29 bytes/);
    expect(store.server.requests.every(({ url }) => url.startsWith(LIST))).toBe(true);
    await newStore({ maximumBytes: 30 }).fetch(URI, { signal });
  });

  it("on the bytes that come, whatever was listed", async () => {
    serve(files.map(({ path }) => ({ path })));
    await expect(newStore({ maximumBytes: 29 }).fetch(URI, { signal })).rejects.toThrow(/29 bytes/);
    await expectNothingLeft();
    await newStore({ maximumBytes: 30 }).fetch(URI, { signal });
  });
});

describe("a download that breaks off", () => {
  it("is begun again, and counts once", async () => {
    let downloads = 0;
    store.server.answerWith((response, request) => {
      if (request.url.startsWith(LIST)) return json({ files: [{ path: "a" }] })(response, request);
      downloads += 1;
      return (downloads === 1 ? cutAfter("01234", 10) : text("0123456789"))(response, request);
    });
    const { path } = await newStore({ maximumBytes: 10 }).fetch(URI, { signal });
    expect(await readFile(join(path, "a"), "utf8")).toBe("0123456789");
  });
});

describe("the folder", () => {
  it("is repaired when its files were changed", async () => {
    serve([{ path: "a" }]);
    const first = await newStore().fetch(URI, { signal });
    await writeFile(join(first.path, "a"), "tampered");
    await writeFile(join(first.path, "more"), "");
    expect(await newStore().fetch(URI, { signal })).toEqual(first);
    expect(await digestOfFolder(first.path)).toBe(first.digest);
    expect(await artifacts()).toEqual([first.digest]);
  });

  it("is made anew when a file in it, or the folder itself, is a link to somewhere else", async () => {
    serve([{ path: "a" }]);
    const first = await newStore().fetch(URI, { signal });
    const outside = join(store.parent, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "a"), "0123456789");
    await rm(join(first.path, "a"));
    await symlink(join(outside, "a"), join(first.path, "a"));
    expect(await newStore().fetch(URI, { signal })).toEqual(first);
    expect((await lstat(join(first.path, "a"))).isFile()).toBe(true);
    await rm(first.path, { recursive: true });
    await symlink(outside, first.path);
    expect(await newStore().fetch(URI, { signal })).toEqual(first);
    expect((await lstat(first.path)).isDirectory()).toBe(true);
    expect(await readdir(outside)).toEqual(["a"]);
    expect(await readFile(join(outside, "a"), "utf8")).toBe("0123456789");
  });

  it("of a killed process is cleared away after a day, one in use is left", async () => {
    await mkdir(join(store.directory, ".incoming-old"), { recursive: true });
    await mkdir(join(store.directory, ".incoming-new"));
    const twoDaysAgo = Date.now() / 1000 - 2 * 86_400;
    await utimes(join(store.directory, ".incoming-old"), twoDaysAgo, twoDaysAgo);
    serve([{ path: "a" }]);
    const { digest } = await newStore().fetch(URI, { signal });
    expect(await artifacts()).toEqual([".incoming-new", digest]);
  });

  it("that cannot be written is not blamed on MLflow", async () => {
    await writeFile(store.directory, "a file where the folder should be");
    serve([{ path: "a" }]);
    const fetched = newStore().fetch(URI, { signal });
    await expect(fetched).rejects.toMatchObject({ service: "artifact_folder" });
  });
});
