import { EndpointCreationError } from "../../agents/model_deployer/errors.ts";

export interface BentoTag {
  name: string;
  version: string;
}

// BentoML's own rule for both parts. Its store matches versions by prefix, so tags are only ever compared whole.
const part = /^[a-z0-9]([-._a-z0-9]*[a-z0-9])?$/;
const LONGEST_PART = 63;

/**
 * Takes `name:version` apart, each part lower-case letters, digits, `-`, `.` and `_`, at most 63 characters.
 *
 * @throws EndpointCreationError
 */
export function parseBentoTag(text: string): BentoTag {
  const [name, version, ...rest] = text.split(":");
  if (rest.length > 0 || !isPart(name) || !isPart(version)) {
    throw new EndpointCreationError(
      `bento tag ${JSON.stringify(text.slice(0, 200))} must be name:version, each at most ${LONGEST_PART} of a-z, 0-9, "-", "." and "_", with a letter or digit at both ends`,
    );
  }
  // The store keeps a file of this name beside the versions.
  if (version === "latest") {
    throw new EndpointCreationError(
      `bento tag ${JSON.stringify(text)} must name a version other than "latest"`,
    );
  }
  return { name, version };
}

function isPart(text: string | undefined): text is string {
  return text !== undefined && text.length <= LONGEST_PART && part.test(text);
}
