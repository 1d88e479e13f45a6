-- Approvals that single moves need; what is not named needs approvals_for_production.
alter table ml_gate_policies add column approvals_by_move jsonb not null default '{}'
  constraint ml_gate_policies_approvals_by_move_check check (
    jsonb_typeof(approvals_by_move) = 'object'
    and approvals_by_move - array['promotion', 'supersession', 'archival', 'immediate_deployment', 'promote_now', 'retry']
      = '{}'
    and not jsonb_path_exists(approvals_by_move, '$.* ? (@.type() != "number" || @ < 0 || @.floor() != @)')
  );
