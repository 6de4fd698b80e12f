-- The list of a workflow's executions in one status reads one range of one index, also where
-- none of them has it; that of all reads a range for each status.
DROP INDEX executions_by_workflow;
CREATE INDEX executions_by_workflow ON executions (tenant_id, workflow, status)
    WHERE workflow IS NOT NULL;
