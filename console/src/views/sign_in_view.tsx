import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { providerHost, signIn } from "../api/client.ts";
import { signInProblem } from "../session.ts";
import { ProblemNote } from "../parts/problems/problem_note.tsx";

export function SignInView() {
  const provider = useSignal<string | null>(null);
  useEffect(() => {
    void providerHost().then((host) => (provider.value = host));
  }, []);
  return (
    <section class="sign-in">
      <h1 tabIndex={-1}>Who looks?</h1>
      {signInProblem.value !== null && (
        <p class="problem" role="alert">
          {signInProblem.value}
        </p>
      )}
      {provider.value !== null && (
        <p>
          <button type="button" class="button-main" onClick={() => location.assign("/v1/oidc/login")}>
            Sign in at {provider.value}
          </button>
        </p>
      )}
      <p>
        <code>npx model-deployer console</code> prints an address that signs you in. A token does too;{" "}
        <code>npx model-deployer principals enrol</code> makes one.
      </p>
      <TokenForm isMain={provider.value === null} />
    </section>
  );
}

/** @param isMain whether there is no other way to sign in */
function TokenForm({ isMain }: { isMain: boolean }) {
  const token = useSignal("");
  const problem = useSignal<unknown>(null);
  const enter = async () => {
    try {
      await signIn(token.value.trim());
    } catch (error) {
      problem.value = error;
    }
  };
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void enter();
        }}
      >
        <label class="field">
          token
          <input
            type="password"
            autocomplete="off"
            required
            value={token.value}
            onInput={(event) => (token.value = event.currentTarget.value)}
          />
        </label>
        <button type="submit" class={isMain ? "button-main" : undefined}>
          Sign in
        </button>
      </form>
      <ProblemNote error={problem.value} />
    </>
  );
}
