import type { Context } from "hono";
import { InvalidRequestError } from "../agents/model_deployer/errors.ts";

/** 10,000 outcomes by the longest ids of requests, and some room. */
const LARGEST_BODY = 4 * 1024 * 1024;

/** The body as JSON; one that is too large is not read to its end. @throws InvalidRequestError */
export async function jsonOf(context: Context): Promise<unknown> {
  const type = context.req.header("content-type") ?? "";
  if (!/^application\/json\b/.test(type)) {
    throw new InvalidRequestError(
      `The body's content-type is ${JSON.stringify(type.slice(0, 40))}; send application/json.`,
    );
  }
  const text = await textOf(context);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InvalidRequestError("The body is no JSON; send one JSON object.", { cause });
  }
}

/** A length that is told is believed where it is too large, and never where it is small. */
async function textOf(context: Context): Promise<string> {
  if (Number(context.req.header("content-length") ?? 0) > LARGEST_BODY) throw tooLarge();
  const { body } = context.req.raw;
  if (body === null) return "";
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    text += piece.value;
    if (text.length > LARGEST_BODY) {
      await reader.cancel();
      throw tooLarge();
    }
  }
  return text;
}

const tooLarge = (): InvalidRequestError =>
  new InvalidRequestError(`A body has at most ${LARGEST_BODY} bytes.`);
