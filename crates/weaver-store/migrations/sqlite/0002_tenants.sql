-- A tenant is named by a UUID; its `id` stays the short number that rows carry.
-- What was there before belongs to the local tenant.
ALTER TABLE tenants ADD COLUMN uuid BLOB;
UPDATE tenants SET uuid = x'6c6f63616c0080008000000000000001' WHERE id = 1;
CREATE UNIQUE INDEX tenants_by_uuid ON tenants (uuid);

-- Who drives an execution, until when, and which holder that is: each has a
-- greater `fence` than the one before.
ALTER TABLE executions ADD COLUMN lease_owner TEXT;
ALTER TABLE executions ADD COLUMN lease_until INTEGER;
ALTER TABLE executions ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;

-- For retention.
CREATE INDEX executions_over ON executions (tenant_id, ended_at) WHERE ended_at IS NOT NULL;
