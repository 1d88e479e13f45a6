import { mkdtemp, readdir, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { listen } from "../../../src/api/api_server.ts";
import { runCli } from "../../../src/cli/program.ts";
import { TestClock } from "../../../src/testing/index.ts";
import { givenApi } from "../../support/given/given_api.ts";
import { BrowserOfPerson } from "../../support/identity/browser_of_person.ts";
import { deployersSide, givenProvider, PIPELINE_SECRET } from "../../support/identity/given_provider.ts";
import { caughtStreams } from "../../support/given/caught_streams.ts";

async function given(scope?: string) {
  const found = await givenProvider();
  const provider = deployersSide(found.issuer, scope);
  const roles = [
    { group: "ml-ops", role: "operator" as const, experiment_id: null },
    { group: "client:pipeline", role: "viewer" as const, experiment_id: null },
  ];
  // What the session's end is compared with is this machine's clock.
  const clock = new TestClock(new Date().toISOString());
  const { api, unexpected } = await givenApi({
    clock,
    signIns: { provider, roles, sessionHours: 1, checkMinutes: 15 },
  });
  const server = await listen(api, { host: "127.0.0.1", port: 0 });
  onTestFinished(async () => {
    await server.close();
    expect(unexpected).toEqual([]);
  });
  const { url } = server;
  const folder = await mkdtemp(join(tmpdir(), "md-login-"));
  const environment = { MODEL_DEPLOYER_URL: url, XDG_CONFIG_HOME: folder, MODEL_DEPLOYER_HOME: folder };
  return { found, url, folder, environment, turn: (minutes: number) => clock.turn({ minutes }) };
}

type Environment = Record<string, string>;

/** Runs a command; `follow` gets each line of standard error. */
async function run(
  words: string[],
  environment: Environment,
  follow: (line: string) => void = () => undefined,
) {
  const { streams, printed } = caughtStreams();
  streams.stderr.on("data", (chunk: Buffer) => chunk.toString().split("\n").forEach(follow));
  const unopened = () => expect.fail("the command line went past the API");
  const code = await runCli(words, {
    ...{ streams, environment, signal: AbortSignal.timeout(120_000) },
    ...{ openDeployer: unopened, openObserver: unopened },
  });
  return { code, ...printed };
}

const addressIn = (line: string): string | undefined => /https?:\S+/.exec(line)?.[0];

test("a person signs in from a terminal by their browser; what is asked from then on is theirs, until they sign out", async () => {
  const { environment, folder } = await given();
  const pages: Promise<{ response: Response }>[] = [];
  const signedIn = await run(["login"], environment, (line) => {
    const address = addressIn(line);
    if (address !== undefined) pages.push(new BrowserOfPerson("sub-ana").open(address));
  });
  expect(signedIn).toMatchObject({ code: 0 });
  expect(signedIn.out).toContain("signed in as ana.lopez");
  const [page] = await Promise.all(pages);
  expect(await page?.response.text()).toContain("this page can be closed");
  const [file = ""] = await readdir(join(folder, "model-deployer"));
  expect((await stat(join(folder, "model-deployer", file))).mode & 0o777).toBe(0o600);
  expect((await run(["experiments", "list"], environment)).code).toBe(0);
  const text = await readFile(join(folder, "model-deployer", file), "utf8");
  const kept = z.object({ token: z.string() }).parse(JSON.parse(text));
  expect(signedIn.out + signedIn.err).not.toContain(kept.token);
  expect(await run(["logout"], environment)).toMatchObject({ code: 0, err: "" });
  const out = await run(["experiments", "list"], environment);
  expect(out.code).not.toBe(0);
  expect(out.err).toContain("model-deployer login");
  const token = { ...environment, MODEL_DEPLOYER_TOKEN: kept.token };
  expect((await run(["experiments", "list"], token)).err).toContain("revoked");
});

test("without a browser here a code is entered on another machine", async () => {
  const { environment } = await given();
  const signedIn = await run(["login", "--device"], environment, (line) => {
    const address = addressIn(line);
    if (address !== undefined) void new BrowserOfPerson("sub-ana").open(address);
  });
  expect(signedIn).toMatchObject({ code: 0 });
  expect(signedIn.out).toContain("signed in as ana.lopez");
});

test("a machine signs in by its client's secret, which a variable holds", async () => {
  const { environment } = await given();
  const as = { ...environment, MODEL_DEPLOYER_CLIENT_SECRET: PIPELINE_SECRET };
  const signedIn = await run(["login", "--client", "pipeline"], as);
  expect(signedIn.out).toContain("signed in as pipeline");
  const wrong = { ...environment, MODEL_DEPLOYER_CLIENT_SECRET: "another-one-that-is-wrong" };
  const refused = await run(["login", "--client", "pipeline", "--json"], wrong);
  expect(JSON.parse(refused.out)).toMatchObject({ error: { code: "service_refused" } });
  expect((await run(["login", "--client", "pipeline"], environment)).err).toContain(
    "MODEL_DEPLOYER_CLIENT_SECRET",
  );
});

test("who says no at the provider, or whose API has none, is told so", async () => {
  const { environment, found } = await given();
  const refused = await run(["login", "--json"], environment, (line) => {
    const asked = addressIn(line);
    if (asked === undefined) return;
    const back = new URL(new URL(asked).searchParams.get("redirect_uri") ?? "");
    back.searchParams.set("error", "access_denied");
    back.searchParams.set("state", new URL(asked).searchParams.get("state") ?? "");
    back.searchParams.set("iss", found.issuer);
    void fetch(back);
  });
  expect(JSON.parse(refused.out)).toMatchObject({ error: { code: "not_authenticated" } });
  const { api } = await givenApi();
  const other = await listen(api, { host: "127.0.0.1", port: 0 });
  onTestFinished(() => other.close());
  const none = await run(["login", "--json"], { ...environment, MODEL_DEPLOYER_URL: other.url });
  expect(JSON.parse(none.out)).toMatchObject({ error: { code: "not_found" } });
});

test.each([[["login"]], [["login", "--device"]]])(
  "the groups of who signed in by `%s` are asked for anew, time and again",
  async (words) => {
    const { environment, found, turn } = await given("openid profile offline_access");
    await run(words, environment, (line) => {
      const address = addressIn(line);
      if (address !== undefined) void new BrowserOfPerson("sub-ana").open(address);
    });
    const asked = found.tokenRequests();
    for (const checks of [1, 2]) {
      turn(16);
      expect((await run(["experiments", "list"], environment)).code).toBe(0);
      expect(found.tokenRequests() - asked).toBe(checks);
    }
    found.people["sub-ana"] = { name: "ana.lopez", groups: [] };
    turn(16);
    const out = await run(["experiments", "list", "--json"], environment);
    expect(JSON.parse(out.out)).toMatchObject({ error: { code: "not_permitted" } });
  },
);
