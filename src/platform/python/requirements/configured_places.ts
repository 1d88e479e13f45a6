/** Variables by which pip and uv are told indexes and folders of wheels, each a list with spaces, or commas, between. */
const PLACES = [
  ...["UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"],
  ...["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"],
];

/** Whether the configuration names this index or folder of wheels, with or without a password. */
export function isConfiguredPlace(place: string): boolean {
  const values = PLACES.flatMap((name) => (process.env[name] ?? "").split(/[\s,]+/));
  // uv lets an index have a name before its URL.
  const urls = values.map((value) => value.replace(/^[A-Za-z0-9_-]+=/, ""));
  return urls.some((url) => url !== "" && normalized(url) === normalized(place));
}

/** The line as it may be kept and shown; the user of `ssh` is no secret. */
export function withoutPassword(line: string): string {
  return line.replaceAll(/(?<!ssh)(:\/\/)[^\s/,]*@/g, "$1");
}

function normalized(place: string): string {
  const bare = withoutPassword(place).replace(/\/+$/, "");
  return URL.canParse(bare) ? new URL(bare).href.replace(/\/+$/, "") : bare;
}
