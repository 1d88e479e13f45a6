import { expect, test } from "vitest";
import { isReachable } from "../../../src/notifications/reachable_address.ts";
import { errorOf } from "../../../src/testing/index.ts";
import { CONSOLE, givenSender, notice } from "../../support/given/given_notice.ts";
import { SIGNING_SECRET as SECRET, sinkAt } from "../../support/given/given_secrets.ts";
import { givenReceiver } from "../../support/services/notice_receivers.ts";

const signal = AbortSignal.timeout(60_000);

test("a webhook gets a CloudEvent with the figures and a link, signed so that its receiver can tell", async () => {
  const receiver = await givenReceiver();
  await givenSender().send(await sinkAt("webhook", receiver.url), notice, { signal });
  expect(receiver.events(SECRET)).toMatchObject([
    {
      specversion: "1.0",
      id: "op_1:rolled_back",
      source: CONSOLE,
      type: "model_deployer.rolled_back",
      subject: "e2i_remission",
      data: {
        numbers: { candidate_errors: 12 },
        link: "https://models.example.org/#/endpoints/e2i_remission",
      },
    },
  ]);
  expect(receiver.received[0]?.headers["content-type"]).toMatch(/^application\/cloudevents\+json/);
  const other = `whsec_${Buffer.alloc(32, 8).toString("base64")}`;
  expect(() => receiver.events(other)).toThrow(/signature/i);
});

test("Slack and Teams get the figures as they show them, and markup in a name stays text", async () => {
  const receiver = await givenReceiver();
  const hostile = { ...notice, title: "<!channel> <https://evil.example|click> *v2*" };
  await givenSender().send(await sinkAt("slack", receiver.url), hostile, { signal });
  await givenSender().send(await sinkAt("teams", receiver.url), hostile, { signal });
  const [slack, teams] = receiver.received.map(({ body }): unknown => JSON.parse(body));
  expect(slack).toMatchObject({
    blocks: [
      { type: "section", text: { type: "plain_text", text: hostile.title, emoji: false } },
      {},
      {},
      {},
    ],
  });
  expect(JSON.stringify(slack)).toContain('"text":"rolled back: &lt;!channel&gt;');
  expect(JSON.stringify(slack)).toContain("candidate requests\\n12,345");
  expect(teams).toMatchObject({
    type: "message",
    attachments: [
      {
        contentType: "application/vnd.microsoft.card.adaptive",
        content: { type: "AdaptiveCard", actions: [{ url: `${CONSOLE}#/endpoints/e2i_remission` }] },
      },
    ],
  });
});

test.each([
  ["169.254.169.254", false],
  ["[fd00:ec2::254]", false],
  ["[::ffff:169.254.169.254]", false],
  ["100.100.100.200", false],
  ["0.0.0.0", false],
  ["127.0.0.1", true],
  ["10.1.2.3", true],
  ["[::1]", true],
  ["192.0.2.1", false],
])("%s is asked by nobody, but where it was said to be inside: %s", async (host, inside) => {
  const address = host.replace(/^\[|\]$/g, "");
  expect(isReachable(address, false)).toBe(false);
  expect(isReachable(address, true)).toBe(inside);
  const target = await sinkAt("slack", `https://${host}/latest/meta-data`, { may_be_inside: false });
  const error = await errorOf(givenSender().send(target, notice, { signal }));
  expect(error).toMatchObject({ code: "service_refused", retryable: false });
  expect(error.message).toContain(address.includes("ffff") ? "no sink may have" : address.slice(0, 4));
});

test("8.8.8.8 is an address that a sink may have", () => {
  expect(["8.8.8.8", "2001:4860:4860::8888"].map((one) => isReachable(one, false))).toEqual([true, true]);
});

test("a name that resolves to an inside address is refused before anything is sent", async () => {
  const receiver = await givenReceiver();
  const url = receiver.url.replace("127.0.0.1", "localhost").replace("http:", "https:");
  const error = await errorOf(
    givenSender().send(await sinkAt("slack", url, { may_be_inside: false }), notice, { signal }),
  );
  expect(error).toMatchObject({ code: "service_refused" });
  expect(error.message).toMatch(/is at (127\.0\.0\.1|::1), inside this network/);
});

test("a redirect is not followed, wherever it leads", async () => {
  const [receiver, inside] = [await givenReceiver(), await givenReceiver()];
  receiver.answers = 302;
  receiver.location = inside.url;
  const target = await sinkAt("slack", `${receiver.url}/T000/secret-path`);
  const error = await errorOf(givenSender().send(target, notice, { signal }));
  expect(error).toMatchObject({ code: "service_refused" });
  expect(error.message).toContain("redirect");
  expect(inside.received).toEqual([]);
});

test.each([
  [500, true],
  [429, true],
  [400, false],
  [410, false],
])(
  "an answer of %i is tried again soon: %s; the address stays out of the error",
  async (status, retryable) => {
    const receiver = await givenReceiver();
    receiver.answers = status;
    const target = await sinkAt("slack", `${receiver.url}/T000/secret-path`);
    const error = await errorOf(givenSender().send(target, notice, { signal }));
    expect(error.retryable).toBe(retryable);
    expect(JSON.stringify([error.message, error.details])).not.toContain("secret-path");
  },
);

test("who takes the connection and says nothing is given up when the time is over", async () => {
  const receiver = await givenReceiver();
  receiver.answers = null;
  const error = await errorOf(
    givenSender().send(await sinkAt("slack", receiver.url), notice, { signal: AbortSignal.timeout(50) }),
  );
  expect(error).toMatchObject({ code: "service_unavailable" });
  expect(error.message).toContain("no answer in time");
});

test("where no console is known to be served, no link leads to one that may be another's", async () => {
  const receiver = await givenReceiver();
  for (const kind of ["webhook", "slack", "teams"] as const)
    await givenSender({ consoleUrl: null }).send(await sinkAt(kind, receiver.url), notice, { signal });
  const bodies = receiver.received.map(({ body }) => body).join("\n");
  expect(bodies).toContain('"source":"urn:model-deployer"');
  expect(bodies).not.toMatch(/Open in the console|8300/);
});

test("a sink whose secret is not here is told apart from one that refuses", async () => {
  const receiver = await givenReceiver();
  const sink = { ...(await sinkAt("slack", receiver.url)), secrets: { address: "env:SLACK_URL" } };
  const error = await errorOf(givenSender().send(sink, notice, { signal }));
  expect(error).toMatchObject({ code: "configuration" });
  expect(error.message).toContain("env:SLACK_URL");
  expect(receiver.received).toEqual([]);
});
