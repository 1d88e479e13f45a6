import { generateKeyPairSync, sign } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type Ingress,
  type IngressPolicy,
  OPEN_INGRESS,
} from "../../../src/agents/model_deployer/domain/access/ingress_policy.ts";
import { ServiceRefusedError } from "../../../src/agents/model_deployer/errors.ts";
import type { EnvoyRouter } from "../../../src/mlops/envoy/envoy_router.ts";
import { parsedJson } from "../../../src/platform/parsed_json.ts";
import { newApiKey } from "../../../src/service/ingress/new_api_key.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { makeEnvoyFixture, prepareEnvoy, type EnvoyFixture } from "./fixture.ts";

const options = { signal: new AbortController().signal };
const tomorrow = () => new Date(Date.now() + 86_400_000).toISOString();
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const limits = (some: Partial<IngressPolicy["limits"]>) => ({ limits: { ...OPEN_INGRESS.limits, ...some } });

describe("who may call an endpoint", () => {
  let fixture: EnvoyFixture;
  let router: EnvoyRouter;
  let wanted: Ingress;
  let production: Awaited<ReturnType<EnvoyFixture["startServer"]>>;
  let shadow: typeof production;
  let url: string;

  beforeAll(prepareEnvoy, 20 * 60_000);

  beforeEach(async () => {
    fixture = await makeEnvoyFixture();
    wanted = { endpoint_name: "churn", revision: 1, policy: OPEN_INGRESS, keys: [] };
    router = fixture.secondRouter({ ingressOf: async () => wanted });
    url = (await router.open("churn", options)).endpoint_url;
    production = await fixture.startServer("production");
    shadow = await fixture.startServer("shadow");
    const route = { generation: 1, weights: { production: 100 }, mirror_deployment_id: "shadow" };
    const servers = [production.address, shadow.address];
    await router.apply({ endpoint_name: "churn", ...route }, servers, options);
  });

  afterEach(() => fixture.dispose());

  const wants = (policy: Partial<IngressPolicy>, keys: Ingress["keys"] = []) => {
    const { revision } = wanted;
    wanted = { ...wanted, revision: revision + 1, policy: { ...OPEN_INGRESS, ...policy }, keys };
    return router.enforce("churn", options);
  };
  const statusOf = async (headers: Record<string, string> = {}, body = "{}") =>
    (await fixture.predict(url, headers, body)).status;

  it("is everybody, until a key is demanded; then whoever brings one of its keys", async () => {
    expect(await statusOf()).toBe(200);
    const [one, other] = [newApiKey("churn", tomorrow()), newApiKey("churn", tomorrow())];
    expect(await wants({ keys: true }, [one, other])).toBe(2);
    expect(await router.enforced("churn", options)).toBe(2);
    const refused = await fixture.predict(url);
    expect(refused).toMatchObject({ status: 401, content_type: "application/json" });
    expect(parsedJson(refused.body)).toMatchObject({ error_code: "UNAUTHENTICATED" });
    expect(await statusOf(bearer(one.key))).toBe(200);
    expect(await statusOf({ "x-api-key": other.key })).toBe(200);
    expect(production.received.map((one) => one.authorization)).toEqual([undefined, undefined, undefined]);
  });

  it("is nobody with a revoked, an expired, a changed or a foreign key, nor with one of another endpoint", async () => {
    const [one, revoked] = [newApiKey("churn", tomorrow()), newApiKey("churn", tomorrow())];
    const expired = newApiKey("churn", new Date(Date.now() - 60_000).toISOString());
    const foreign = newApiKey("churn", tomorrow());
    const ofFraud = newApiKey("fraud", tomorrow());
    await wants({ keys: true }, [one, revoked]);
    expect(await statusOf(bearer(revoked.key))).toBe(200);
    await wants({ keys: true }, [one, expired, ofFraud]);
    expect(await statusOf(bearer(one.key))).toBe(200);
    const [head = "", claims = "", signature = ""] = one.key.split(".");
    const longer = Buffer.from(claims, "base64url")
      .toString()
      .replace(/"exp":\d+/, '"exp":9999999999');
    const changed = [head, Buffer.from(longer).toString("base64url"), signature].join(".");
    for (const { key } of [revoked, expired, foreign]) expect(await statusOf(bearer(key))).toBe(401);
    for (const key of [changed, one.key.slice(0, -4), "short", ""])
      expect(await statusOf(bearer(key))).toBe(401);
    expect(await statusOf(bearer(ofFraud.key))).toBe(403);
  });

  it("is nobody where a key is demanded and there is none", async () => {
    const { key } = newApiKey("churn", tomorrow());
    await wants({ keys: true });
    for (const headers of [{}, bearer(key)]) expect(await statusOf(headers)).toBe(401);
  });

  it("is whoever brings a token of the issuer, beside the keys", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const public_jwk = { ...publicKey.export({ format: "jwk" }), kid: "k1", kty: "EC" as const };
    const tokens = { issuer: "https://id", audience: "churn", source: "/jwks", jwks: { keys: [public_jwk] } };
    const own = newApiKey("churn", tomorrow());
    await wants({ keys: true, tokens }, [own]);
    const signed = (claims: object) => {
      const parts = [{ alg: "ES256", kid: "k1" }, claims].map((part) => JSON.stringify(part));
      const text = parts.map((part) => Buffer.from(part).toString("base64url")).join(".");
      const key = { key: privateKey, dsaEncoding: "ieee-p1363" as const };
      return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
    };
    const sound = { iss: "https://id", aud: "churn", sub: "ana", exp: Math.floor(Date.now() / 1000) + 600 };
    expect(await statusOf(bearer(signed(sound)))).toBe(200);
    expect(await statusOf(bearer(own.key))).toBe(200);
    for (const claims of [
      { ...sound, iss: "other" },
      { ...sound, aud: "fraud" },
      { ...sound, exp: 1 },
    ]) {
      expect([401, 403]).toContain(await statusOf(bearer(signed(claims))));
    }
    const { exp: _, ...endless } = sound;
    expect(await statusOf(bearer(signed(endless)))).toBe(401);
  });

  it("stays so while the router is killed and opened again, and when its file is gone or damaged", async () => {
    const own = newApiKey("churn", tomorrow());
    await wants({ keys: true }, [own]);
    const file = join(fixture.home, "router", "churn", "ecds.json");
    for (const harm of [async () => undefined, () => rm(file), () => writeFile(file, "{")]) {
      await fixture.crash("churn");
      await harm();
      const answers: number[] = [];
      let isOpen = false;
      const asking = (async () => {
        while (!isOpen) answers.push(await statusOf().catch(() => 0));
      })();
      await router.open("churn", options);
      isOpen = true;
      await asking;
      expect(answers.filter((status) => status !== 0 && status !== 401 && status !== 500)).toEqual([]);
      expect(await statusOf()).toBe(401);
      expect(await statusOf(bearer(own.key))).toBe(200);
    }
  });

  it("is not decided by an older policy, whoever brings it late", async () => {
    const own = newApiKey("churn", tomorrow());
    await wants({ keys: true }, [own]);
    const late = fixture.secondRouter({
      ingressOf: async () => ({ ...wanted, revision: 1, policy: OPEN_INGRESS }),
    });
    expect(await late.enforce("churn", options)).toBe(2);
    expect(await statusOf()).toBe(401);
  });

  it("stays as it was where Envoy rejects the policy", async () => {
    const own = newApiKey("churn", tomorrow());
    await wants({ keys: true }, [own]);
    const broken = { issuer: "i", audience: "a", source: "/x", jwks: { keys: [{ kty: "EC" as const }] } };
    await expect(wants({ tokens: broken })).rejects.toThrow(ServiceRefusedError);
    expect(await statusOf()).toBe(401);
    expect(await statusOf(bearer(own.key))).toBe(200);
    expect(await wants({ keys: true }, [own])).toBe(4);
  });

  it("never is somebody whom the change of a policy lets through in between", async () => {
    const keys = [newApiKey("churn", tomorrow())];
    await wants({ keys: true }, keys);
    let isOver = false;
    const answers = new Set<number>();
    const asking = (async () => {
      while (!isOver) answers.add(await statusOf());
    })();
    for (let change = 0; change < 8; change += 1) {
      if (change % 2 === 0) keys.push(newApiKey("churn", tomorrow()));
      await wants({ keys: true, ...limits({ connections: 100 + change }) }, [...keys]);
    }
    isOver = true;
    await asking;
    expect([...answers]).toEqual([401]);
  });

  describe("and how much", () => {
    it("is limited for each caller and for all, and a refusal says when to come again", async () => {
      const [one, other] = [newApiKey("churn", tomorrow()), newApiKey("churn", tomorrow())];
      const caller_rate = { requests: 2, seconds: 3600 as const };
      await wants({ keys: true, ...limits({ caller_rate, rate: { requests: 3, seconds: 60 } }) }, [
        one,
        other,
      ]);
      const asked = async (key: string) => {
        const { status, retry_after } = await fixture.predict(url, bearer(key));
        return [status, retry_after];
      };
      expect(await asked(one.key)).toEqual([200, undefined]);
      expect(await asked(one.key)).toEqual([200, undefined]);
      expect(await asked(one.key)).toEqual([429, "1800"]);
      expect(await asked(other.key)).toEqual([200, undefined]);
      expect(await asked(other.key)).toEqual([429, "20"]);
      for (let stranger = 0; stranger < 5; stranger += 1) expect(await statusOf()).toBe(401);
    });

    it("is bounded by size, whether it is told before or not", async () => {
      await wants(limits({ body_bytes: 100 }));
      expect(await statusOf({}, " ".repeat(100))).toBe(200);
      expect(await statusOf({}, " ".repeat(101))).toBe(413);
    });
  });

  it("leaves no trace of who was refused: neither servers, shadow nor figures know of it", async () => {
    const own = newApiKey("churn", tomorrow());
    const ofFraud = newApiKey("fraud", tomorrow());
    const caller_rate = { requests: 1, seconds: 3600 as const };
    await wants({ keys: true, ...limits({ caller_rate, body_bytes: 100 }) }, [own, ofFraud]);
    expect(await statusOf(bearer(own.key))).toBe(200);
    await pollUntil(() => shadow.received.length === 1, {
      what: "the mirrored request",
      deadlineMs: 120_000,
    });
    const before = await router.figures("churn", options);
    expect(before.map(({ requests }) => requests)).toEqual([1, 1]);
    expect(await statusOf()).toBe(401);
    expect(await statusOf(bearer(ofFraud.key))).toBe(403);
    expect(await statusOf(bearer(own.key))).toBe(429);
    await wants({ keys: true, ...limits({ body_bytes: 100 }) }, [own]);
    expect(await statusOf(bearer(own.key), " ".repeat(101))).toBe(413);
    expect([production.received.length, shadow.received.length]).toEqual([1, 1]);
    const told = ({ requests, errors, client_errors }: (typeof before)[number]) => [
      requests,
      errors,
      client_errors,
    ];
    expect((await router.figures("churn", options)).map(told)).toEqual(before.map(told));
    expect(before.map(({ client_errors }) => client_errors)).toEqual([0, 0]);
  });

  it("keeps no key in the router's files", async () => {
    const own = newApiKey("churn", tomorrow());
    await wants({ keys: true }, [own]);
    const file = await readFile(join(fixture.home, "router", "churn", "ecds.json"), "utf8");
    expect(file).toContain(own.public_key.x);
    for (const part of own.key.split(".").slice(1)) expect(file).not.toContain(part);
  });
});
