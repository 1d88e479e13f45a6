/** Why a server did not answer, without anything of what it was asked. */
export function silenceOf(error: unknown): string {
  if (!(error instanceof Error)) return "the connection failed";
  if (error.name === "TimeoutError" || error.name === "AbortError") return "no answer in time";
  const code = "code" in error && typeof error.code === "string" ? error.code : null;
  return code ?? error.name;
}
