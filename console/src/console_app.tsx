import { useEffect } from "preact/hooks";
import { followChanges } from "./api/live.ts";
import { signOut } from "./api/client.ts";
import { askFor, ROLLBACK } from "./controls.ts";
import { route } from "./hash_route.ts";
import { ControlDialog } from "./parts/decisions/control_dialog.tsx";
import { principal } from "./session.ts";
import { behindBecause, byAttention, connection, waiting } from "./store.ts";
import { nextTheme, theme } from "./theme.ts";
import { EndpointView } from "./views/endpoint_view.tsx";
import { EndpointsView } from "./views/endpoints_view.tsx";
import { HistoryView } from "./views/history_view.tsx";
import { OperationView } from "./views/operation_view.tsx";
import { SignInView } from "./views/sign_in_view.tsx";
import { StartView } from "./views/start_view.tsx";

export function ConsoleApp() {
  if (principal.value === undefined) return <p class="page-note quiet">Looking …</p>;
  return (
    <>
      <a class="skip" href="#main" onClick={focusMain}>
        to the content
      </a>
      <Header />
      <main id="main" tabIndex={-1}>
        {principal.value === null ? <SignInView /> : <SignedIn />}
      </main>
    </>
  );
}

/** Without a change of the address, which names the view. */
function focusMain(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("#main")?.focus();
}

function SignedIn() {
  useEffect(followChanges, []);
  return (
    <>
      {behindBecause.value !== null && (
        <p class="behind" role="status">
          This page is not current. {behindBecause.value}
        </p>
      )}
      <View />
      <ControlDialog />
    </>
  );
}

function View() {
  const shown = route.value;
  switch (shown.view) {
    case "endpoints":
      return <EndpointsView />;
    case "start":
      return <StartView />;
    case "endpoint":
      return <EndpointView key={shown.endpoint} name={shown.endpoint} />;
    case "operation":
      return <OperationView key={shown.operation} id={shown.operation} />;
    case "history":
      return <HistoryView key={shown.subject} subject={shown.subject} />;
  }
}

const LIVE_WORDS = { connecting: "connecting", live: "live", behind: "not current" };

function Header() {
  const isIn = principal.value !== null;
  return (
    <header class="top">
      <a class="brand" href="#/">
        <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
          <rect width="32" height="32" rx="8" />
          <path d="M6 23h6v-5h7v-5h7V8" />
        </svg>
        <span class="brand-name">Model Deployer</span>
      </a>
      {isIn && (
        <nav aria-label="views">
          <a href="#/" aria-current={route.value.view === "endpoints" ? "page" : undefined}>
            Endpoints
          </a>
          {waiting.value.length > 0 && <span class="badge">{waiting.value.length} to approve</span>}
        </nav>
      )}
      <div class="top-end">
        {isIn && <RollBackAnywhere />}
        {isIn && (
          <span class={`live live-${connection.value}`}>
            <span aria-hidden="true">●</span> {LIVE_WORDS[connection.value]}
          </span>
        )}
        <button type="button" class="button-quiet" onClick={nextTheme} aria-label={`theme: ${theme.value}`}>
          <span aria-hidden="true">◐</span> {theme.value}
        </button>
        {isIn && <SignOut name={principal.value ?? ""} />}
      </div>
    </header>
  );
}

function SignOut({ name }: { name: string }) {
  return (
    <button
      type="button"
      class="button-quiet who"
      onClick={() => void signOut()}
      aria-label={`${name}: sign out`}
    >
      {name}
    </button>
  );
}

/** From any view, with the endpoint that the view is about, or the one that needs somebody first. */
function RollBackAnywhere() {
  const shown = route.value;
  const serving = byAttention.value.filter(({ traffic }) => traffic.some(({ weight }) => weight > 0));
  const about =
    serving.find((one) => shown.view === "endpoint" && one.endpoint_name === shown.endpoint) ?? serving[0];
  if (about === undefined || shown.view === "endpoint") return null;
  return (
    <button type="button" class="button-danger-quiet" onClick={() => askFor(ROLLBACK, about.endpoint_name)}>
      Roll back …
    </button>
  );
}
