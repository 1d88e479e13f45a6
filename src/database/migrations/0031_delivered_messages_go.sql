-- Contract: a message stays until it is delivered and a day has passed, so that nobody takes away what others are to be told,
-- and the same event is not told twice in that time.
create function ml_keep_until_delivered() returns trigger language plpgsql as $$
begin
  if old.delivered_at is null or old.created_at > clock_timestamp() - interval '1 day' then
    raise exception 'message % is kept until it is delivered, and for a day: delete refused', old.entry_id
      using errcode = 'MD001';
  end if;
  return old;
end $$;
create trigger ml_outbox_stays before delete on ml_outbox for each row execute function ml_keep_until_delivered();
