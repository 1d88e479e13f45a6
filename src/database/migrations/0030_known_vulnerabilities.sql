-- From which severity on an experiment's models are refused for known vulnerabilities of their packages; null refuses none.
alter table ml_gate_policies add column vulnerabilities jsonb check (jsonb_typeof(vulnerabilities) = 'object');
