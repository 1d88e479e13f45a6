import { z } from "zod";
import type {
  RecordedOutcomes,
  ToldOutcome,
} from "../../../agents/model_deployer/domain/evidence/late_outcomes.ts";
import { json } from "../../rows.ts";
import type { Queries } from "../../connection/transaction.ts";

const recordedRow = z.strictObject({
  is_elsewhere: z.boolean(),
  is_anywhere: z.boolean(),
  is_known: z.boolean(),
  is_new: z.boolean(),
  is_same: z.boolean(),
});

/** The first outcome told of a request at an endpoint stays. */
export async function insertOutcomes(
  tx: Queries,
  outcomes: readonly ToldOutcome[],
  { by, endpoint_name }: { by: string; endpoint_name: string | null },
): Promise<z.infer<typeof recordedRow>[]> {
  return tx.query(
    recordedRow,
    `with told as (
       select t.ordinality, t.entry ->> 'request_id' as request_id, t.entry -> 'outcome' as outcome
       from jsonb_array_elements($1::jsonb) with ordinality as t (entry, ordinality)
     ), answered as (
       select t.request_id, bool_or(true) as is_known, bool_or(a.endpoint_name = $2) as is_here,
         count(distinct a.endpoint_name) > 1 as is_several
       from told t join ml_answers a using (request_id) group by t.request_id
     ), judged as (
       select t.*, coalesce(a.is_known, false) as is_known,
         $2::text is not null and coalesce(a.is_known, false) and not a.is_here as is_elsewhere,
         $2::text is null and coalesce(a.is_several, false) as is_anywhere,
         row_number() over (partition by t.request_id order by t.ordinality) as place
       from told t left join answered a using (request_id)
     ), earlier as (
       select distinct on (o.request_id) o.request_id, o.outcome
       from ml_outcomes o join told t using (request_id) left join answered a using (request_id)
       where $2::text is null or o.endpoint_name = $2
         or o.endpoint_name is null and not coalesce(a.is_several, false)
       order by o.request_id, o.recorded_at
     ), inserted as (
       insert into ml_outcomes (request_id, endpoint_name, outcome, recorded_by)
       select j.request_id, $2, j.outcome, $3 from judged j left join earlier e using (request_id)
       where place = 1 and not is_elsewhere and not is_anywhere and e.request_id is null
       on conflict do nothing returning request_id, outcome
     )
     select j.is_elsewhere, j.is_anywhere, j.is_known, j.place = 1 and i.request_id is not null as is_new,
       j.outcome = coalesce(i.outcome, e.outcome) is true as is_same
     from judged j left join inserted i using (request_id) left join earlier e using (request_id)`,
    [json(outcomes), endpoint_name, by],
  );
}

/** Outcomes of one call, counted by their fate. */
export function countsOf(rows: readonly z.infer<typeof recordedRow>[]): RecordedOutcomes {
  const number = (is: (row: z.infer<typeof recordedRow>) => boolean) => rows.filter(is).length;
  const here = (row: z.infer<typeof recordedRow>) => !row.is_elsewhere && !row.is_anywhere;
  return {
    recorded: number((row) => here(row) && row.is_new && row.is_known),
    waiting: number((row) => here(row) && row.is_new && !row.is_known),
    repeated: number((row) => here(row) && !row.is_new && row.is_same),
    contradicting: number((row) => here(row) && !row.is_new && !row.is_same),
    of_another_endpoint: number((row) => row.is_elsewhere),
    of_several_endpoints: number((row) => row.is_anywhere),
  };
}
