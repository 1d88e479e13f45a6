import { render } from "preact";
import { checkSession, ProblemError, signIn } from "./api/client.ts";
import { startClock } from "./live_clock.ts";
import { ConsoleApp } from "./console_app.tsx";
import { followAddress } from "./hash_route.ts";
import { principal, takeSignInProblem, tokenFromAddress } from "./session.ts";
import "./styles/tokens.css";
import "./styles/page.css";
import "./styles/controls.css";
import "./styles/endpoints.css";
import "./styles/decisions.css";
import "./styles/narrow.css";
import "./styles/charts.css";

async function enter(): Promise<void> {
  const token = tokenFromAddress();
  takeSignInProblem();
  try {
    await (token === null ? checkSession() : signIn(token));
  } catch (error) {
    // A token that nobody has, or a server that is away: the page asks who one is.
    if (!(error instanceof ProblemError)) throw error;
    principal.value = null;
  }
}

await enter();
followAddress();
startClock();
const place = document.querySelector("#console");
if (place !== null) render(<ConsoleApp />, place);
