import { ProblemError } from "../../api/client.ts";
import { ProblemText } from "./problem_text.tsx";
import { WaysOut } from "./ways_out.tsx";

/** A refusal or failure, each thing that is missing, and each way out. */
export function ProblemNote({ error }: { error: unknown }) {
  if (error === null || error === undefined) return null;
  return (
    <div class="problem" role="alert">
      <ProblemText error={error} />
      {error instanceof ProblemError && <WaysOut ways={error.problem.next} />}
    </div>
  );
}
