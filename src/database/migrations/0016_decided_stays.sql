-- What was decided stays as it was written, whoever asks: these triggers bind the tables' owner too. Which columns the
-- deployer may change at all stands in least_rights.sql.

-- Contract: what was asked for, by whom and when, never changes. A plan that waits, or has waited, for approvals is
-- replaced only by one for a later generation; within a generation only the number of approvals may follow the policy.
create function ml_keep_request() returns trigger language plpgsql as $$
begin
  if (old.operation_id, old.action_key, old.payload_hash, old.request_id, old.action, old.requested_by, old.request,
      old.created_at)
    is distinct from
    (new.operation_id, new.action_key, new.payload_hash, new.request_id, new.action, new.requested_by, new.request,
      new.created_at) then
    raise exception 'operation %: what was asked for, by whom and when, is fixed', old.operation_id
      using errcode = 'MD001';
  end if;
  if old.waits_until is distinct from new.waits_until and old.waits_until is not null then
    raise exception 'operation % waits until %', old.operation_id, old.waits_until using errcode = 'MD001';
  end if;
  if old.waits_until is not null and new.status in ('claimed', 'preparing', 'awaiting_approval')
    and new.plan - 'approvals_needed' is distinct from old.plan - 'approvals_needed'
    and coalesce((new.plan ->> 'generation')::int, -1) <= (old.plan ->> 'generation')::int then
    raise exception 'operation %: the plan that waits for approvals is fixed', old.operation_id
      using errcode = 'MD001';
  end if;
  return new;
end $$;
create trigger ml_operations_request_kept before update on ml_operations
  for each row execute function ml_keep_request();

-- Contract: an approval says for ever what was approved, by whom and why; one that has expired may be granted anew.
create function ml_keep_approval() returns trigger language plpgsql as $$
begin
  if (old.approval_id, old.operation_id, old.payload_hash, old.generation, old.approver)
    is distinct from (new.approval_id, new.operation_id, new.payload_hash, new.generation, new.approver)
    or old.expires_at > clock_timestamp()
    and (old.reason, old.granted_at, old.expires_at) is distinct from (new.reason, new.granted_at, new.expires_at) then
    raise exception 'approval % is fixed: revoke it and grant another', old.approval_id using errcode = 'MD001';
  end if;
  return new;
end $$;
create trigger ml_approvals_kept before update on ml_approvals
  for each row execute function ml_keep_approval();

-- Contract: who wanted a generation, when and why, is written once, with the generation.
create function ml_keep_wanted() returns trigger language plpgsql as $$
begin
  raise exception '%: who wanted generation % is fixed', old.endpoint_name, old.generation using errcode = 'MD001';
end $$;
create trigger ml_endpoints_wanted_kept before update on ml_endpoints for each row
  when (old.generation = new.generation and
    (old.wanted_at, old.wanted_by, old.wanted_reason, old.wanted_operation_id, old.wanted_metrics, old.wanted_evidence)
    is distinct from
    (new.wanted_at, new.wanted_by, new.wanted_reason, new.wanted_operation_id, new.wanted_metrics, new.wanted_evidence))
  execute function ml_keep_wanted();

-- Contract: evidence that was counted is never counted less.
create function ml_keep_counts() returns trigger language plpgsql as $$
begin
  raise exception '%: what was counted of % only grows', tg_table_name, old.deployment_id using errcode = 'MD001';
end $$;
create trigger ml_shadow_evidence_grows before update on ml_shadow_evidence for each row
  when (new.requests < old.requests or new.errors < old.errors or new.collected_at < old.collected_at)
  execute function ml_keep_counts();
create trigger ml_shadow_comparisons_grow before update on ml_shadow_comparisons for each row
  when (new.pairs < old.pairs or new.disagreements < old.disagreements or new.scored < old.scored
    or new.higher < old.higher or new.lower < old.lower
    or new.sum_absolute_difference < old.sum_absolute_difference or new.collected_at < old.collected_at)
  execute function ml_keep_counts();

-- Contract: what a message says is written with what it tells of.
create function ml_keep_message() returns trigger language plpgsql as $$
begin
  raise exception 'message % is fixed', old.entry_id using errcode = 'MD001';
end $$;
create trigger ml_outbox_kept before update on ml_outbox for each row
  when ((old.topic, old.dedupe_key, old.payload, old.operation_id, old.created_at)
    is distinct from (new.topic, new.dedupe_key, new.payload, new.operation_id, new.created_at))
  execute function ml_keep_message();

-- Contract: the fence only rises.
create function ml_keep_fence() returns trigger language plpgsql as $$
begin
  raise exception 'lease %: its token % only grows', old.name, old.token using errcode = 'MD003';
end $$;
create trigger ml_leases_fence before update on ml_leases for each row
  when (new.name <> old.name or new.token < old.token) execute function ml_keep_fence();
