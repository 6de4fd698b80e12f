CREATE TABLE executions (
    id uuid PRIMARY KEY,
    workflow text NOT NULL,
    status text NOT NULL,
    input jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE work_queue (
    execution_id uuid PRIMARY KEY REFERENCES executions ON DELETE CASCADE,
    priority int NOT NULL,
    run_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON work_queue (priority DESC, run_at);
CREATE TABLE execution_events (
    execution_id uuid REFERENCES executions ON DELETE CASCADE,
    sequence bigint,
    kind text NOT NULL,
    data jsonb NOT NULL,
    time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (execution_id, sequence)
);
