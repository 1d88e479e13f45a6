import { once } from "node:events";
import { copyFile, rename } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect as connectTls } from "node:tls";
import { execa } from "execa";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type Ingress,
  type IngressPolicy,
  OPEN_INGRESS,
} from "../../../src/agents/model_deployer/domain/access/ingress_policy.ts";
import { InvalidRequestError } from "../../../src/agents/model_deployer/errors.ts";
import type { EnvoyRouter } from "../../../src/mlops/envoy/envoy_router.ts";
import { endingSentences } from "../../../src/platform/certificates.ts";
import { checkCertificate, endOfCertificate } from "../../../src/platform/certificate_files.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { makeEnvoyFixture, prepareEnvoy, type EnvoyFixture } from "./fixture.ts";

const options = { signal: new AbortController().signal };
const limits = (some: Partial<IngressPolicy["limits"]>) => ({ limits: { ...OPEN_INGRESS.limits, ...some } });

describe("a caller's connection", () => {
  let fixture: EnvoyFixture;
  let router: EnvoyRouter;
  let wanted: Ingress;
  let port: number;

  beforeAll(prepareEnvoy, 20 * 60_000);

  beforeEach(async () => {
    fixture = await makeEnvoyFixture();
    wanted = { endpoint_name: "churn", revision: 1, policy: OPEN_INGRESS, keys: [] };
    router = fixture.secondRouter({ ingressOf: async () => wanted });
    port = Number(new URL((await router.open("churn", options)).endpoint_url).port);
    const { address } = await fixture.startServer("production");
    const route = { generation: 1, weights: { production: 100 }, mirror_deployment_id: null };
    await router.apply({ endpoint_name: "churn", ...route }, [address], options);
  });

  afterEach(() => fixture.dispose());

  const wants = (policy: Partial<IngressPolicy>) => {
    wanted = { ...wanted, revision: wanted.revision + 1, policy: { ...OPEN_INGRESS, ...policy } };
    return router.enforce("churn", options);
  };

  /** A certificate for this name that signs itself, and its key. */
  async function certificateFor(name: string) {
    const [certificate, key] = ["crt", "key"].map((kind) => join(fixture.home, `${name}.${kind}`));
    const files = { certificate: certificate ?? "", key: key ?? "" };
    const made = [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "2",
    ];
    await execa("openssl", [
      ...made,
      "-subj",
      `/CN=${name}`,
      "-keyout",
      files.key,
      "-out",
      files.certificate,
    ]);
    return files;
  }

  /** Whose certificate is shown; null where none is. */
  async function shown(): Promise<string | null> {
    const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false });
    const found = await once(socket, "secureConnect").then(
      () => String(socket.getPeerCertificate().subject.CN),
      () => null,
    );
    socket.destroy();
    return found;
  }

  it("is encrypted, and no other is taken, by the certificate that lies there now", async () => {
    expect(await shown()).toBeNull();
    const tls = await certificateFor("first");
    await wants({ tls });
    expect(await shown()).toBe("first");
    await expect(fixture.predict(`http://127.0.0.1:${port}`)).rejects.toThrow();
    const next = await certificateFor("second");
    await copyFile(next.key, `${tls.key}.new`);
    await copyFile(next.certificate, `${tls.certificate}.new`);
    await rename(`${tls.key}.new`, tls.key);
    await rename(`${tls.certificate}.new`, tls.certificate);
    await pollUntil(async () => (await shown()) === "second", { what: "the other one", deadlineMs: 120_000 });
    await fixture.crash("churn");
    expect((await router.open("churn", options)).endpoint_url).toBe(`https://127.0.0.1:${port}`);
    expect(await shown()).toBe("second");
  });

  it("has no certificate that is of no use", async () => {
    const [one, other] = [await certificateFor("one"), await certificateFor("other")];
    const now = Date.now();
    await checkCertificate(one, now);
    const wrong: [typeof one, number, RegExp][] = [
      [{ ...one, key: other.key }, now, /is not the key/],
      [{ ...one, key: one.certificate }, now, /holds no key/],
      [{ ...one, certificate: one.key }, now, /holds no certificate/],
      [one, now + 3 * 86_400_000, /ended at/],
      [one, now - 86_400_000, /holds from/],
    ];
    for (const [files, at, sentence] of wrong) {
      const checked = checkCertificate(files, at);
      await expect(checked).rejects.toThrow(InvalidRequestError);
      await expect(checked).rejects.toThrow(sentence);
    }
  });

  it("is told of before its certificate ends", async () => {
    const { certificate } = await certificateFor("one");
    const end = await endOfCertificate(certificate);
    expect(endingSentences("churn", end, Date.now()).join()).toContain("in 1 days");
    expect(endingSentences("churn", end, end + 1).join()).toContain("ended on");
    expect(endingSentences("churn", end, end - 22 * 86_400_000)).toEqual([]);
    await expect(endOfCertificate(`${certificate}.gone`)).rejects.toThrow(/cannot be read/);
  });

  it("is ended where a request's headers, or its body, come too slowly", async () => {
    await wants(limits({ header_seconds: 1, request_seconds: 1 }));
    for (const begun of [
      "POST /predict HTTP/1.1\r\nhost: x\r\n",
      "POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{",
    ]) {
      const socket = connect({ host: "127.0.0.1", port });
      socket.write(begun);
      expect(await text(socket)).toMatch(/^HTTP\/1\.1 408/);
    }
  });

  it("is one of so many at a time", async () => {
    await wants(limits({ connections: 1 }));
    const first = connect({ host: "127.0.0.1", port });
    first.write("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    await once(first, "data");
    const second = connect({ host: "127.0.0.1", port });
    second.write("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    const refused = await text(second).catch(() => "");
    expect(refused).toBe("");
    first.destroy();
    await pollUntil(
      async () => (await fixture.predict(`http://127.0.0.1:${port}`).catch(() => null))?.status === 200,
      {
        what: "room for another",
        deadlineMs: 120_000,
      },
    );
  });
});
