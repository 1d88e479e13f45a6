import { ProblemError } from "../../api/client.ts";
import { NotBefore } from "./not_before.tsx";

/** A refusal or failure, each thing that is missing, and from when on it may be granted. */
export function ProblemText({ error }: { error: unknown }) {
  if (!(error instanceof ProblemError)) {
    return <p>{error instanceof Error ? error.message : "Something failed that should not."}</p>;
  }
  const { title, detail, unmet, not_before } = error.problem;
  return (
    <>
      <strong>{title}</strong>
      <p>{detail}</p>
      {unmet.length > 0 && (
        <ul>
          {unmet.map((one) => (
            <li key={one.criterion}>{one.sentence}</li>
          ))}
        </ul>
      )}
      <NotBefore instant={not_before} />
    </>
  );
}
