import { ServiceRefusedError } from "../../../agents/model_deployer/errors.ts";

/** The messages that the kit needs of https://www.postgresql.org/docs/current/protocol-message-formats.html */

const [AUTHENTICATION, DATA_ROW, ERROR, READY, PLANNED] = Buffer.from("RDEZ1");
const [BIND, EXECUTE, PARSE, QUERY, SYNC, TERMINATE] = Buffer.from("BEPQSX");
/** The kind of a message and its length. */
const HEADER = 5;
/** The end of a text, and no types. */
const NO_TYPES = Buffer.alloc(3);
/** A portal and a plan without names. */
const UNNAMED = Buffer.alloc(2);
const IDLE = messageOf(READY, "I");

/** Lets a client in without a password. */
export const WELCOME = Buffer.concat([messageOf(AUTHENTICATION, "\0\0\0\0"), IDLE]);

function messageOf(kind = 0, body: string | Uint8Array): Buffer {
  const bytes = Buffer.from(body);
  const header = Buffer.alloc(HEADER);
  header.writeUInt8(kind);
  header.writeInt32BE(bytes.length + 4, 1);
  return Buffer.concat([header, bytes]);
}

export function queryMessage(sql: string): Buffer {
  return messageOf(QUERY, `${sql}\0`);
}

/** Has a statement planned under a name; the server finds the types of its parameters. */
export function planMessage(name: string, sql: string): Buffer {
  return messageOf(PARSE, `${name}\0${sql}\0\0\0`);
}

/** Has a statement without parameters planned under a name. */
export function preparation(name: string, sql: string): Buffer {
  return Buffer.concat([planMessage(name, sql), messageOf(SYNC, "")]);
}

/** Runs a prepared statement, at a third of what a query costs. */
export function execution(name: string): Buffer {
  const bind = messageOf(BIND, `\0${name}\0\0\0\0\0\0\0`);
  return Buffer.concat([bind, messageOf(EXECUTE, "\0\0\0\0\0"), messageOf(SYNC, "")]);
}

/** `opening` is the one message without a kind; the server answers at the end of a batch. */
export function kindOf(message: Uint8Array): "opening" | "closing" | "end of a batch" | "part of a batch" {
  const kind = message[0];
  if (kind === 0) return "opening";
  if (kind === TERMINATE) return "closing";
  return kind === QUERY || kind === SYNC ? "end of a batch" : "part of a batch";
}

/** The messages that lie one behind the other. */
export function* messagesIn(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length;) {
    const next = at + 1 + bytes.readInt32BE(at + 1);
    yield bytes.subarray(at, next);
    at = next;
  }
}

/** A client's statement, and whether it comes by itself, without a name and types; its values follow then. */
export function statementOf(message: Buffer): { sql: string; isParsed: boolean } | null {
  const [kind] = message;
  if (kind === QUERY) return { sql: message.toString("utf8", HEADER, message.length - 1), isParsed: false };
  if (kind !== PARSE) return null;
  const end = message.length - NO_TYPES.length;
  const isParsed = message[HEADER] === 0 && message.subarray(end).equals(NO_TYPES);
  return { sql: message.toString("utf8", HEADER + 1, end), isParsed };
}

/** The message, with its values meant for that plan where they were meant for the one without a name. */
export function meantFor(name: string, message: Buffer): Buffer {
  if (message[0] !== BIND || !message.subarray(HEADER, HEADER + UNNAMED.length).equals(UNNAMED))
    return message;
  const values = message.subarray(HEADER + UNNAMED.length);
  return messageOf(BIND, Buffer.concat([Buffer.from(`\0${name}\0`), values]));
}

/** How many statements the server has planned. */
export function countPlans(answer: Buffer): number {
  return [...messagesIn(answer)].filter(([kind]) => kind === PLANNED).length;
}

/** Whether no transaction is open after the answer. */
export function leavesIdle(answer: Buffer): boolean {
  return answer.subarray(-IDLE.length).equals(IDLE);
}

/** The first value of the first row. @throws ServiceRefusedError for an answer that tells an error */
export function firstValue(answer: Buffer): string | null {
  let value: string | null = null;
  for (const message of messagesIn(answer)) {
    const [kind] = message;
    const body = message.subarray(HEADER);
    if (kind === ERROR) {
      const fields = body.toString().split("\0");
      throw new ServiceRefusedError("the kit's Postgres", `The kit's Postgres refused: ${fields.join(" ")}`);
    }
    // A count of values, and of each its length, which is -1 for null.
    if (kind === DATA_ROW)
      value ??= body.readInt32BE(2) < 0 ? null : body.toString("utf8", 6, 6 + body.readInt32BE(2));
  }
  return value;
}
