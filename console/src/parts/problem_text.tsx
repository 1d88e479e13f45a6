import { ProblemError } from "../api/client.ts";

/** A refusal or failure, and each thing that is missing. */
export function ProblemText({ error }: { error: unknown }) {
  if (!(error instanceof ProblemError)) {
    return <p>{error instanceof Error ? error.message : "Something failed that should not."}</p>;
  }
  const { title, detail, unmet } = error.problem;
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
    </>
  );
}
