import { isPlainName, isPlainText, escaped } from "../../agents/model_deployer/domain/values/plain_text.ts";
import { InvalidRequestError } from "../../agents/model_deployer/errors.ts";

/** @throws InvalidRequestError that shows the text escaped */
export function requirePlainText(what: string, text: string): void {
  if (isPlainText(text)) return;
  throw new InvalidRequestError(
    `${what} holds characters that are not seen as what they are: ${JSON.stringify(escaped(text).slice(0, 200))}; write it without control characters and direction marks`,
  );
}

/** @throws InvalidRequestError that shows the name escaped */
export function requirePlainName(what: string, name: string): void {
  if (isPlainName(name)) return;
  throw new InvalidRequestError(
    `${what} may look like another one: ${JSON.stringify(escaped(name).slice(0, 200))}; write it in one line and one alphabet, without control characters, direction marks and compatibility forms`,
  );
}
