import { signal } from "@preact/signals";

/** Who looks; null where nobody has signed in, undefined before that is known. */
export const principal = signal<string | null | undefined>(undefined);

/** Why a sign-in at the provider came to nothing; null where none did. */
export const signInProblem = signal<string | null>(null);

const FRAGMENT = /^#token=([\w.~+/=-]+)$/;

/** The token that `model-deployer console` puts into its address; it leaves the address bar at once. */
export function tokenFromAddress(): string | null {
  const token = FRAGMENT.exec(location.hash)?.[1] ?? null;
  if (token !== null) history.replaceState(null, "", `${location.pathname}#/`);
  return token;
}

const FAILED = /^#sign-in=(.+)$/;

/** Keeps what the server wrote into the address of a sign-in that failed. */
export function takeSignInProblem(): void {
  const told = FAILED.exec(location.hash)?.[1];
  if (told === undefined) return;
  history.replaceState(null, "", `${location.pathname}#/`);
  try {
    signInProblem.value = decodeURIComponent(told);
  } catch {
    signInProblem.value = "The sign-in came to nothing; begin anew.";
  }
}
