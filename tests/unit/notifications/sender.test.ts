import { once } from "node:events";
import { SMTPServer } from "smtp-server";
import { expect, onTestFinished, test } from "vitest";
import type { Notice } from "../../../src/agents/model_deployer/domain/notices/notices.ts";
import { Sender } from "../../../src/notifications/notification_sender.ts";
import { isReachable } from "../../../src/notifications/reachable_address.ts";
import { errorOf } from "../../../src/testing/index.ts";
import { givenSecrets, SIGNING_SECRET as SECRET, sinkAt } from "../../support/given/given_secrets.ts";
import { givenReceiver } from "../../support/notice_receivers.ts";

const CONSOLE = "https://models.example.org/";
const signal = AbortSignal.timeout(60_000);

const notice: Notice = {
  event_id: "op_1:rolled_back",
  kind: "rolled_back",
  severity: "warning",
  occurred_at: "2026-06-01T09:00:00Z",
  experiment_id: "remission",
  endpoint_name: "e2i_remission",
  title: "Roll e2i_remission back from e2i_remission:v2 to e2i_remission:v1.",
  reason: "errors of <b>v2</b> & more: 12 of 100",
  by: "model_deployer",
  numbers: { candidate_requests: 12_345, candidate_errors: 12, e_value: 1234.5678 },
  operation_id: "op_1",
  rollout_id: "rollout_1",
  command: null,
};

function sender(
  smtpUrl: string | null = null,
  consoleUrl: string | null = CONSOLE,
  password: string | null = null,
): Sender {
  const mail = { smtpUrl, from: "deployer@example.org", password: async () => password };
  return new Sender({ consoleUrl: async () => consoleUrl, mail, secrets: givenSecrets() });
}

const mailTo = (...to: string[]) => ({
  ...{ sink_name: "team", target: { kind: "email" as const, to }, secrets: {}, may_be_inside: false },
});

test("a webhook gets a CloudEvent with the figures and a link, signed so that its receiver can tell", async () => {
  const receiver = await givenReceiver();
  await sender().send(await sinkAt("webhook", receiver.url), notice, { signal });
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
  await sender().send(await sinkAt("slack", receiver.url), hostile, { signal });
  await sender().send(await sinkAt("teams", receiver.url), hostile, { signal });
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

interface Mail {
  to: string[];
  source: string;
}

/**
 * A mail server on this machine, without TLS; `refuse` answers 550 to each recipient, and `password` is asked of everybody.
 * What it was told before a mail is in `logins`.
 */
async function givenMailServer({ refuse = false, password = "", host = "127.0.0.1" } = {}) {
  const mails: Mail[] = [];
  const logins: string[] = [];
  const server = new SMTPServer({
    ...{ authOptional: password === "", allowInsecureAuth: true },
    disabledCommands: ["STARTTLS"],
    onAuth: (given, _session, done) => {
      logins.push(`${String(given.username)}:${String(given.password)}`);
      if (given.password === password) return done(null, { user: given.username });
      done(Object.assign(new Error("no such password"), { responseCode: 535 }));
    },
    onRcptTo: (_address, _session, done) =>
      done(refuse ? Object.assign(new Error("no such mailbox"), { responseCode: 550 }) : null),
    onData: (stream, session, done) => {
      let source = "";
      stream.on("data", (chunk: Buffer) => (source += chunk.toString()));
      stream.on("end", () => {
        mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), source });
        done();
      });
    },
  });
  const listening = server.listen(0, host);
  await once(listening, "listening");
  onTestFinished(() => new Promise<void>((resolve) => server.close(resolve)));
  const address = listening.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    mails,
    logins,
    url: `smtp://${host}:${port}`,
    urlAs: (user: string) => `smtp://${user}@${host}:${port}`,
  };
}

test("the mail server's password stands beside its address or in it, and is looked up for each mail", async () => {
  const { mails, logins, urlAs } = await givenMailServer({ password: "p@ss/w:rd" });
  const passwords = ["p@ss/w:rd", "p@ss/w:rd"];
  const mail = {
    ...{ smtpUrl: urlAs("deployer%40example.org"), from: "deployer@example.org" },
    password: async () => passwords.shift() ?? "changed",
  };
  const changing = new Sender({ consoleUrl: async () => CONSOLE, mail, secrets: givenSecrets() });
  const target = mailTo("ana@example.org");
  await changing.send(target, notice, { signal });
  await changing.send(target, notice, { signal });
  await sender(urlAs("deployer%40example.org:p%40ss%2Fw%3Ard")).send(target, notice, { signal });
  await sender(urlAs("50%off"), CONSOLE, "p@ss/w:rd").send(target, notice, { signal });
  expect(logins.pop()).toBe("50%off:p@ss/w:rd");
  expect(mails.length).toBe(4);
  expect(new Set(logins)).toEqual(new Set(["deployer@example.org:p@ss/w:rd"]));
  const error = await errorOf(changing.send(target, notice, { signal }));
  // The sink is at fault and no notice: all are kept until the password is right.
  expect(error).toMatchObject({ code: "configuration" });
  expect(error.message).toContain("MODEL_DEPLOYER_SMTP_PASSWORD");
  expect(error.message).not.toContain("changed");
});

test("no password goes over a network to a mail server that offers no TLS", async () => {
  const { mails, logins, urlAs } = await givenMailServer({ password: "secret", host: "127.0.0.2" });
  const error = await errorOf(
    sender(urlAs("deployer"), CONSOLE, "secret").send(mailTo("ana@example.org"), notice, { signal }),
  );
  expect(error).toMatchObject({ code: "configuration" });
  expect(error.message).toContain("offers no TLS");
  expect({ mails, logins }).toEqual({ mails: [], logins: [] });
});

test("a mail goes to all mailboxes with the figures, has an id that stays the same, and reads markup as text", async () => {
  const { mails, url } = await givenMailServer();
  const target = mailTo("ana@example.org", "omar@example.org");
  await sender(url).send(target, notice, { signal });
  await sender(url).send(target, notice, { signal });
  expect(mails.map(({ to }) => to)).toEqual([target.target.to, target.target.to]);
  const ids = mails.map(({ source }) => /^message-id: (.*)$/im.exec(source)?.[1]);
  expect(ids[0]).toMatch(/@model-deployer>/);
  expect(new Set(ids).size).toBe(1);
  const [{ source } = { source: "" }] = mails;
  expect(source).toContain("candidate requests: 12,345");
  expect(source).toContain("&lt;b&gt;v2&lt;/b&gt;");
  expect(source).not.toContain("<b>v2</b></p>");
});

test("a name with a line break adds no header to a mail", async () => {
  const { mails, url } = await givenMailServer();
  const hostile = { ...notice, title: "a\r\nBcc: eve@example.org\r\n\r\nhello" };
  await sender(url).send(mailTo("ana@example.org"), hostile, { signal });
  const [head = ""] = (mails[0]?.source ?? "").split("\r\n\r\n");
  expect(head).not.toMatch(/^bcc:/im);
  expect(mails[0]?.to).toEqual(["ana@example.org"]);
});

test("a mail server that refuses a mailbox is told apart from one that does not answer", async () => {
  const { url } = await givenMailServer({ refuse: true });
  const target = mailTo("nobody@example.org");
  const refused = await errorOf(sender(url).send(target, notice, { signal }));
  expect(refused).toMatchObject({ code: "service_refused", retryable: false });
  const silent = await errorOf(sender("smtp://127.0.0.1:9").send(target, notice, { signal }));
  expect(silent).toMatchObject({ code: "service_unavailable", retryable: true });
  const unset = await errorOf(sender().send(target, notice, { signal }));
  expect(unset.message).toContain("MODEL_DEPLOYER_SMTP_URL");
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
  const error = await errorOf(sender().send(target, notice, { signal }));
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
    sender().send(await sinkAt("slack", url, { may_be_inside: false }), notice, { signal }),
  );
  expect(error).toMatchObject({ code: "service_refused" });
  expect(error.message).toMatch(/is at (127\.0\.0\.1|::1), inside this network/);
});

test("a redirect is not followed, wherever it leads", async () => {
  const [receiver, inside] = [await givenReceiver(), await givenReceiver()];
  receiver.answers = 302;
  receiver.location = inside.url;
  const target = await sinkAt("slack", `${receiver.url}/T000/secret-path`);
  const error = await errorOf(sender().send(target, notice, { signal }));
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
    const error = await errorOf(sender().send(target, notice, { signal }));
    expect(error.retryable).toBe(retryable);
    expect(JSON.stringify([error.message, error.details])).not.toContain("secret-path");
  },
);

test("who takes the connection and says nothing is given up when the time is over", async () => {
  const receiver = await givenReceiver();
  receiver.answers = null;
  const error = await errorOf(
    sender().send(await sinkAt("slack", receiver.url), notice, { signal: AbortSignal.timeout(50) }),
  );
  expect(error).toMatchObject({ code: "service_unavailable" });
  expect(error.message).toContain("no answer in time");
});

test("where no console is known to be served, no link leads to one that may be another's", async () => {
  const receiver = await givenReceiver();
  for (const kind of ["webhook", "slack", "teams"] as const)
    await sender(null, null).send(await sinkAt(kind, receiver.url), notice, { signal });
  const bodies = receiver.received.map(({ body }) => body).join("\n");
  expect(bodies).toContain('"source":"urn:model-deployer"');
  expect(bodies).not.toMatch(/Open in the console|8300/);
});

test("a sink whose secret is not here is told apart from one that refuses", async () => {
  const receiver = await givenReceiver();
  const sink = { ...(await sinkAt("slack", receiver.url)), secrets: { address: "env:SLACK_URL" } };
  const error = await errorOf(sender().send(sink, notice, { signal }));
  expect(error).toMatchObject({ code: "configuration" });
  expect(error.message).toContain("env:SLACK_URL");
  expect(receiver.received).toEqual([]);
});
