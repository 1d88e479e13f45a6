const OWN = "npx model-deployer experiments create churn --name Churn --target churn --minimum-auc 0.8";

const STEPS = [
  ["npx model-deployer example", "trains a small model family; in a demo installation alone", OWN],
  [
    "npx model-deployer release <experiment> <run>",
    "takes a run of your MLflow as far as it may go: registered, staged, shadowed",
  ],
  [
    'npx model-deployer approve <operation> --reason "..."',
    "by somebody else, here or in a terminal; it waits on this page",
  ],
  ["npx model-deployer release <experiment> <run>", "the same again goes on: into production"],
] as const;

/** The page of a first visit. */
export function StartView() {
  return (
    <section class="start">
      <h1 tabIndex={-1}>Nothing is served yet</h1>
      <p>From here a model is four commands away from production. This page follows along as they run.</p>
      <ol>
        {STEPS.map(([command, why, own]) => (
          <li key={why}>
            <Command text={command} />
            <p class="quiet">{why}</p>
            {own !== undefined && (
              <>
                <p class="quiet">With models of your own, say instead what production asks for:</p>
                <Command text={own} />
              </>
            )}
          </li>
        ))}
      </ol>
      <p class="quiet">
        Each command prints the next one. A shadow gets a copy of each request and nobody sees its answers;
        production asks for what it showed there, and for an approval.
      </p>
    </section>
  );
}

function Command({ text }: { text: string }) {
  return (
    <div class="command">
      <code>{text}</code>
      <button
        type="button"
        aria-label={`copy ${text}`}
        onClick={() => void navigator.clipboard.writeText(text)}
      >
        copy
      </button>
    </div>
  );
}
