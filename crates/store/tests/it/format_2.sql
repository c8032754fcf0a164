-- Written by a binary of the second format: the file of the first one, and a run of a server.
BEGIN TRANSACTION;
CREATE TABLE breakers (
    name  TEXT PRIMARY KEY,
    state INTEGER NOT NULL,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "breakers" VALUES('erp',1,1790000010000000);
CREATE TABLE catalogue (
    kind     INTEGER NOT NULL,
    name     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    unpacked INTEGER,
    body     BLOB NOT NULL,
    PRIMARY KEY (kind, name, version)
) STRICT;
CREATE TABLE definition_files (
    definition BLOB NOT NULL,
    position   INTEGER NOT NULL,
    path       TEXT NOT NULL,
    unpacked   INTEGER,
    body       BLOB NOT NULL,
    PRIMARY KEY (definition, position)
) STRICT;
INSERT INTO "definition_files" VALUES(X'00000000000000000000000000000007',0,'flow.yaml',NULL,X'7461736B733A207B7D');
CREATE TABLE definitions (
    id        BLOB PRIMARY KEY,
    namespace INTEGER NOT NULL DEFAULT 0,
    name      TEXT NOT NULL,
    format    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "definitions" VALUES(X'00000000000000000000000000000007',0,'month-end',0);
CREATE TABLE namespaces (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO "namespaces" VALUES(0,'default');
CREATE TABLE node (
    id       INTEGER PRIMARY KEY CHECK (id = 0),
    epoch    INTEGER NOT NULL,
    last_run INTEGER NOT NULL,
    time     INTEGER NOT NULL
) STRICT;
INSERT INTO "node" VALUES(0,1,3,1790000009000000);
CREATE TABLE payloads (
    run      INTEGER NOT NULL,
    id       BLOB NOT NULL,
    unpacked INTEGER,
    body     BLOB NOT NULL,
    UNIQUE (run, id)
) STRICT;
INSERT INTO "payloads" VALUES(1,X'92A77CB98B7EBA2C27B9828F24FA1490',1862,X'28B52FFD6046065501001402227477656C76652068756E647265642062797465732C20616E64206D6F7265202201001059FCEA09');
CREATE TABLE runs (
    key               INTEGER PRIMARY KEY,
    namespace         INTEGER NOT NULL DEFAULT 0,
    random            INTEGER NOT NULL,
    definition        BLOB NOT NULL,
    flow              TEXT NOT NULL,
    name              TEXT NOT NULL,
    parent            INTEGER,
    parent_random     INTEGER,
    parent_task       INTEGER,
    parent_generation INTEGER,
    state             INTEGER NOT NULL,
    generation        INTEGER NOT NULL,
    input             ANY,
    variables         ANY,
    output            ANY,
    error_code        TEXT,
    error_retriable   INTEGER,
    error             ANY,
    on_failure        INTEGER,
    concurrency       INTEGER,
    targets           TEXT,
    dedup_key         TEXT,
    labels            TEXT,
    created           INTEGER NOT NULL,
    begun             INTEGER NOT NULL,
    ended             INTEGER
, failure_run BLOB, priority INTEGER, correlation TEXT, domains TEXT, idempotency_key TEXT, idempotency INTEGER, creator TEXT, version INTEGER, event TEXT) STRICT;
INSERT INTO "runs" VALUES(1,0,20015998343869,X'00000000000000000000000000000007','','month-end',NULL,NULL,NULL,NULL,0,1,'{"month":"2026-10"}',NULL,NULL,NULL,NULL,NULL,2,4,'["report"]','nightly','["user","ada"]',1790000000000000,1000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(2,0,20015998343870,X'00000000000000000000000000000007','','month-end',NULL,NULL,NULL,NULL,31,1,'{"month":"2026-10"}','{"rows":5}','null','task-failed',0,'orders failed',NULL,NULL,NULL,NULL,NULL,1790000000000000,1000,8999000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(3,0,20015998343871,X'00000000000000000000000000000007','inner','month-end',1,20015998343869,4,1,0,1,'{"month":"2026-10"}',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1790000000000000,1000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "runs" VALUES(4,0,99,X'00000000000000000000000000000007','','order',NULL,NULL,NULL,NULL,0,1,'{}',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1790000000000000,1000,NULL,NULL,5,'order-7',NULL,NULL,NULL,'ada',2,NULL);
CREATE TABLE task_logs (
    run  INTEGER NOT NULL,
    task INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE TABLE tasks (
    run             INTEGER NOT NULL,
    seq             INTEGER NOT NULL,
    node            TEXT NOT NULL,
    container       INTEGER,
    branch          INTEGER,
    path            TEXT,
    state           INTEGER NOT NULL,
    token           INTEGER,
    until           INTEGER,
    lease           INTEGER,
    generation      INTEGER NOT NULL,
    attempt         INTEGER NOT NULL,
    losses          INTEGER NOT NULL,
    ready           INTEGER NOT NULL,
    started         INTEGER,
    ended           INTEGER,
    output          ANY,
    error_code      TEXT,
    error_retriable INTEGER,
    error           ANY,
    items           ANY,
    iteration       INTEGER NOT NULL,
    child           BLOB,
    undo            INTEGER NOT NULL,
    undo_value      INTEGER,
    undo_attempt    INTEGER,
    cached          INTEGER NOT NULL,
    log_from        INTEGER,
    log_to          INTEGER,
    cpu_micros      INTEGER NOT NULL,
    rss_max         INTEGER NOT NULL, served INTEGER, input ANY, retry_of INTEGER, retries INTEGER, worker TEXT, domain TEXT, polls INTEGER, held_back INTEGER, updated INTEGER, first_ready INTEGER,
    UNIQUE (run, seq)
) STRICT;
INSERT INTO "tasks" VALUES(1,1,'orders',NULL,NULL,NULL,20,NULL,NULL,NULL,1,1,0,1790000000010000,2000,5000000,X'92A77CB98B7EBA2C27B9828F24FA1490',NULL,NULL,NULL,NULL,0,NULL,0,NULL,NULL,0,7,893,1500,4194304,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(1,2,'invoices',NULL,NULL,NULL,2,1099511627777,-1,1790000060000000,1,2,0,1790000000020000,5000,NULL,NULL,'exit-75',1,'try again',NULL,0,NULL,0,NULL,NULL,0,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(1,3,'report',NULL,NULL,NULL,23,NULL,NULL,NULL,1,0,0,1790000000030000,NULL,10000,NULL,NULL,NULL,NULL,NULL,0,NULL,0,NULL,NULL,0,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(1,4,'approval',1,2,'loop#2/approval',4,NULL,-1,NULL,1,0,0,1790000000040000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,0,NULL,NULL,0,NULL,NULL,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "tasks" VALUES(4,1,'pay',NULL,NULL,NULL,20,NULL,NULL,NULL,1,1,0,1790000000010000,2000,3000,'{"paid":1}',NULL,NULL,NULL,NULL,0,NULL,0,NULL,NULL,0,NULL,NULL,0,0,0,'{"sum":7}',NULL,0,'w1',NULL,1,0,0,0);
INSERT INTO "tasks" VALUES(4,2,'ship',NULL,NULL,NULL,2,4294967297,-1,-1,1,1,0,1790000000020000,500,NULL,NULL,NULL,NULL,NULL,NULL,0,NULL,0,NULL,NULL,0,NULL,NULL,0,0,0,NULL,NULL,0,'w2',NULL,1,0,0,0);
CREATE INDEX runs_name ON runs (name);
CREATE INDEX runs_dedup_key ON runs (dedup_key) WHERE dedup_key IS NOT NULL;
CREATE INDEX runs_parent ON runs (parent) WHERE parent IS NOT NULL;
CREATE INDEX runs_correlation ON runs (correlation) WHERE correlation IS NOT NULL;
CREATE INDEX runs_idempotency ON runs (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX runs_open ON runs (name) WHERE state NOT BETWEEN 30 AND 35;
CREATE INDEX task_logs_task ON task_logs (run, task);
COMMIT;
PRAGMA application_id = 1348563572;
PRAGMA user_version = 2;
