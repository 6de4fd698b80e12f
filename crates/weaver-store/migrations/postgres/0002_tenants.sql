-- Who drives an execution, until when, and which holder that is: each has a
-- greater `fence` than the one before.
ALTER TABLE executions ADD COLUMN lease_owner text COLLATE "C";
ALTER TABLE executions ADD COLUMN lease_until timestamptz;
ALTER TABLE executions ADD COLUMN fence bigint NOT NULL DEFAULT 0;
