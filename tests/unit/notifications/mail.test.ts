import { once } from "node:events";
import { SMTPServer } from "smtp-server";
import { expect, onTestFinished, test } from "vitest";
import { errorOf } from "../../../src/testing/index.ts";
import { givenSender, notice } from "../../support/given/given_notice.ts";

const signal = AbortSignal.timeout(60_000);

const mailTo = (...to: string[]) => ({
  ...{ sink_name: "team", target: { kind: "email" as const, to }, secrets: {}, may_be_inside: false },
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
  const changing = givenSender({
    smtpUrl: urlAs("deployer%40example.org"),
    password: async () => passwords.shift() ?? "changed",
  });
  const target = mailTo("ana@example.org");
  await changing.send(target, notice, { signal });
  await changing.send(target, notice, { signal });
  await givenSender({ smtpUrl: urlAs("deployer%40example.org:p%40ss%2Fw%3Ard") }).send(target, notice, {
    signal,
  });
  await givenSender({ smtpUrl: urlAs("50%off"), password: async () => "p@ss/w:rd" }).send(target, notice, {
    signal,
  });
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
    givenSender({ smtpUrl: urlAs("deployer"), password: async () => "secret" }).send(
      mailTo("ana@example.org"),
      notice,
      { signal },
    ),
  );
  expect(error).toMatchObject({ code: "configuration" });
  expect(error.message).toContain("offers no TLS");
  expect({ mails, logins }).toEqual({ mails: [], logins: [] });
});

test("a mail goes to all mailboxes with the figures, has an id that stays the same, and reads markup as text", async () => {
  const { mails, url } = await givenMailServer();
  const target = mailTo("ana@example.org", "omar@example.org");
  await givenSender({ smtpUrl: url }).send(target, notice, { signal });
  await givenSender({ smtpUrl: url }).send(target, notice, { signal });
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
  await givenSender({ smtpUrl: url }).send(mailTo("ana@example.org"), hostile, { signal });
  const [head = ""] = (mails[0]?.source ?? "").split("\r\n\r\n");
  expect(head).not.toMatch(/^bcc:/im);
  expect(mails[0]?.to).toEqual(["ana@example.org"]);
});

test("a mail server that refuses a mailbox is told apart from one that does not answer", async () => {
  const { url } = await givenMailServer({ refuse: true });
  const target = mailTo("nobody@example.org");
  const refused = await errorOf(givenSender({ smtpUrl: url }).send(target, notice, { signal }));
  expect(refused).toMatchObject({ code: "service_refused", retryable: false });
  const silent = await errorOf(
    givenSender({ smtpUrl: "smtp://127.0.0.1:9" }).send(target, notice, { signal }),
  );
  expect(silent).toMatchObject({ code: "service_unavailable", retryable: true });
  const unset = await errorOf(givenSender().send(target, notice, { signal }));
  expect(unset.message).toContain("MODEL_DEPLOYER_SMTP_URL");
});
