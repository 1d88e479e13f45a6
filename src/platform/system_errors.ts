/** Whether the system's or Node's error has one of these codes, such as `ENOENT`. */
export function hasCode(error: unknown, ...codes: [string, ...string[]]): boolean {
  return (
    error instanceof Error && "code" in error && typeof error.code === "string" && codes.includes(error.code)
  );
}

/** Whether a file or folder does not exist. */
export const isMissing = (error: unknown): boolean => hasCode(error, "ENOENT");
