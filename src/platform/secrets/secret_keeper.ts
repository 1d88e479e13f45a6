import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { open as openFile } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { ConfigurationError, InvalidRequestError } from "../../agents/model_deployer/errors.ts";
import type { SecretKeeper } from "../../agents/model_deployer/ports/notification_ports.ts";
import { hasCode } from "../system_errors.ts";
import { keptKey } from "./kept_key.ts";

const CIPHER = "aes-256-gcm";
const IV_BYTES = 12;
const TAG_BYTES = 16;
const MOST_BYTES = 16_384;
const sealedPattern = /^sealed:1:([0-9a-f]{8}):([\w-]+)$/;
const isReference = (text: string): boolean => /^(env|file):/.test(text);

interface KeeperSettings {
  /** 64 hexadecimal digits; null: the key in `keyFile`, which is made when it is first needed. */
  key: string | null;
  keyFile: string;
  /** The value of a variable of the environment. */
  variable: (name: string) => string | undefined;
}

/** Seals with a key of the home, or with one that several machines are given. */
export class HomeSecrets implements SecretKeeper {
  readonly #settings: KeeperSettings;

  constructor(settings: KeeperSettings) {
    this.#settings = settings;
  }

  async keep(given: string, place: string): Promise<{ kept: string; value: string }> {
    if (!isReference(given)) return { kept: seal(await this.#key(), given, place), value: given };
    const value = await this.#referred(given);
    if (value !== null) return { kept: given, value };
    throw new InvalidRequestError(`${given} ${unread(given)}; name one that is there, or give the value.`);
  }

  async open(kept: string, place: string): Promise<string> {
    if (isReference(kept)) {
      const value = await this.#referred(kept);
      if (value !== null) return value;
      throw new ConfigurationError(`${place} is ${kept}, which ${unread(kept)}.`, { details: { place } });
    }
    return unseal(await this.#key(), kept, place);
  }

  async #key(): Promise<Buffer> {
    const { key, keyFile } = this.#settings;
    return Buffer.from(key ?? (await keptKey(keyFile)), "hex");
  }

  /** Null where it leads nowhere. */
  async #referred(reference: string): Promise<string | null> {
    const name = reference.slice(reference.indexOf(":") + 1);
    const value = reference.startsWith("env:")
      ? this.#settings.variable(name)
      : await contentsOf(name).catch(nullOfFile);
    return value === undefined || value === null || value.trim() === "" ? null : value.trim();
  }
}

const unread = (reference: string): string =>
  reference.startsWith("env:")
    ? "names a variable that is not set where the deployer runs"
    : `names no file with an absolute path that can be read where the deployer runs and has at most ${MOST_BYTES} bytes`;

async function contentsOf(path: string): Promise<string | null> {
  if (!isAbsolute(path)) return null;
  const file = await openFile(path, "r");
  try {
    const found = await file.stat();
    return found.isFile() && found.size <= MOST_BYTES ? await file.readFile("utf8") : null;
  } finally {
    await file.close();
  }
}

function nullOfFile(error: unknown): null {
  if (hasCode(error, "ENOENT", "EACCES", "EPERM", "EISDIR", "ENOTDIR", "ELOOP", "ENXIO")) return null;
  throw error;
}

const markOf = (key: Buffer): string => createHash("sha256").update(key).digest("hex").slice(0, 8);

function seal(key: Buffer, value: string, place: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv).setAAD(Buffer.from(place));
  const text = Buffer.concat([cipher.update(value, "utf8"), cipher.final()]);
  return `sealed:1:${markOf(key)}:${Buffer.concat([iv, cipher.getAuthTag(), text]).toString("base64url")}`;
}

function unseal(key: Buffer, kept: string, place: string): string {
  const [, mark, body] = sealedPattern.exec(kept) ?? [];
  if (mark === undefined || body === undefined) throw foreign(place, "is not sealed as this version seals");
  if (mark !== markOf(key)) {
    throw foreign(place, "was sealed with another key, such as that of another home");
  }
  const bytes = Buffer.from(body, "base64url");
  const [iv, tag] = [bytes.subarray(0, IV_BYTES), bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES)];
  try {
    const decipher = createDecipheriv(CIPHER, key, iv).setAAD(Buffer.from(place)).setAuthTag(tag);
    const text = [decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()];
    return Buffer.concat(text).toString("utf8");
  } catch (cause) {
    throw foreign(place, "was altered, or sealed for something else", cause);
  }
}

function foreign(place: string, why: string, cause?: unknown): ConfigurationError {
  return new ConfigurationError(
    `${place} ${why}: set it anew, or give every machine the same MODEL_DEPLOYER_SECRETS_KEY.`,
    { details: { place }, cause },
  );
}
