"""The tables of the database."""

KEPT = (
    "PRAGMA page_size=32768",  # states are large: fewer pages to write for each; of a new file only
    "PRAGMA journal_mode=WAL",  # a committed transaction survives the death of the process
    "PRAGMA synchronous=NORMAL",
    "PRAGMA wal_autocheckpoint=2000",  # pages: a checkpoint waits for the disk, and states are large
)
# Of a folder that is removed with the process: nothing has to survive it, and each state is written once and not twice.
TEMPORARY = (
    "PRAGMA page_size=32768",
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA journal_mode=MEMORY",
    "PRAGMA synchronous=OFF",
)
TABLES = (
    """CREATE TABLE IF NOT EXISTS keys (
        id TEXT PRIMARY KEY, user TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, description TEXT NOT NULL,
        created_at REAL NOT NULL, last_used REAL, revoked INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE IF NOT EXISTS sessions (
        id TEXT PRIMARY KEY, user TEXT NOT NULL, created_at REAL NOT NULL, last_seen REAL NOT NULL, ended INTEGER NOT NULL DEFAULT 0,
        about TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS models (
        id TEXT PRIMARY KEY, user TEXT NOT NULL, session TEXT, base_model TEXT NOT NULL, status TEXT NOT NULL, step INTEGER NOT NULL DEFAULT 0,
        created_at REAL NOT NULL, updated_at REAL NOT NULL, about TEXT NOT NULL, counts BLOB, parameters BLOB,
        moments BLOB, gradients BLOB)""",
    "CREATE INDEX IF NOT EXISTS models_of_user ON models (user, status)",  # counting needs no row, which has states
    "CREATE INDEX IF NOT EXISTS models_of_session ON models (session)",
    # `lane` is what numbers count in: a model, a session's models, a session's samplers, a sampler.
    """CREATE TABLE IF NOT EXISTS commands (
        id TEXT PRIMARY KEY, user TEXT NOT NULL, lane TEXT NOT NULL, number TEXT, seq INTEGER, kind TEXT NOT NULL, digest BLOB NOT NULL,
        payload BLOB, status TEXT NOT NULL, code INTEGER, result BLOB, created_at REAL NOT NULL, UNIQUE (lane, number))""",
    "CREATE INDEX IF NOT EXISTS commands_by_age ON commands (created_at)",
    "CREATE INDEX IF NOT EXISTS commands_by_status ON commands (status)",
    """CREATE TABLE IF NOT EXISTS checkpoints (
        file TEXT PRIMARY KEY, user TEXT NOT NULL, model TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, created_at REAL NOT NULL,
        expires_at REAL, size INTEGER NOT NULL, about TEXT NOT NULL, UNIQUE (model, kind, name))""",
    """CREATE TABLE IF NOT EXISTS samplers (
        id TEXT PRIMARY KEY, user TEXT NOT NULL, session TEXT NOT NULL, base_model TEXT NOT NULL, path TEXT, file TEXT,
        created_at REAL NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS metrics (
        model TEXT NOT NULL, nth INTEGER PRIMARY KEY AUTOINCREMENT, step INTEGER NOT NULL, entry TEXT NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS metrics_of_model ON metrics (model, nth)",
)
