// SPDX-License-Identifier: Apache-2.0
#include "storage/schema_v1.h"

namespace quantscope::storage {

// Published: never edit, add schema_v2.cpp. Times are UTC, ISO 8601 with milliseconds and a final Z.
// Statuses and verdicts are the words of storage/words.h.
QStringList schemaV1() {
    return {
        // Where a campaign was measured; shared by the campaigns of one machine and version.
        QStringLiteral(R"(CREATE TABLE environment (
            id INTEGER PRIMARY KEY,
            quantscope_version TEXT NOT NULL,
            worker_version TEXT NOT NULL,
            protocol_id TEXT NOT NULL,
            device_name TEXT NOT NULL,
            device_detail TEXT NOT NULL,
            host_detail TEXT NOT NULL,
            UNIQUE (quantscope_version, worker_version, protocol_id, device_name, device_detail, host_detail)
        ) STRICT)"),

        QStringLiteral(R"(CREATE TABLE model (
            id INTEGER PRIMARY KEY,
            hash TEXT NOT NULL UNIQUE CHECK (hash <> ''),
            location TEXT NOT NULL
        ) STRICT)"),

        // Problem sets are shared by hash and outlive the campaigns that used them.
        QStringLiteral(R"(CREATE TABLE problem (
            id INTEGER PRIMARY KEY,
            problems_hash TEXT NOT NULL CHECK (problems_hash <> ''),
            position INTEGER NOT NULL CHECK (position >= 0),
            task_id TEXT NOT NULL CHECK (task_id <> ''),
            prompt TEXT NOT NULL,
            entry_point TEXT NOT NULL,
            UNIQUE (problems_hash, task_id),
            UNIQUE (problems_hash, position)
        ) STRICT)"),

        // environment, model and problems_hash are known only once the worker has loaded the model.
        QStringLiteral(R"(CREATE TABLE campaign (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,
            spec TEXT NOT NULL CHECK (json_valid(spec)),
            status TEXT NOT NULL CHECK (status IN ('planned', 'running', 'done', 'partial', 'failed', 'cancelled')),
            created_at TEXT NOT NULL CHECK (created_at GLOB '????-??-??T??:??:??.???Z'),
            environment_id INTEGER REFERENCES environment (id),
            model_id INTEGER REFERENCES model (id),
            problems_hash TEXT NOT NULL DEFAULT ''
        ) STRICT)"),
        QStringLiteral("CREATE INDEX campaign_environment ON campaign (environment_id)"),
        QStringLiteral("CREATE INDEX campaign_model ON campaign (model_id)"),

        QStringLiteral(R"(CREATE TABLE run (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            campaign_id INTEGER NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
            scheme_id TEXT NOT NULL CHECK (scheme_id <> ''),
            scheme_label TEXT NOT NULL,
            batch_size INTEGER NOT NULL CHECK (batch_size >= 1),
            eval_status TEXT NOT NULL DEFAULT 'planned'
                CHECK (eval_status IN ('planned', 'running', 'done', 'partial', 'failed', 'cancelled')),
            latency_status TEXT NOT NULL DEFAULT 'planned'
                CHECK (latency_status IN ('planned', 'running', 'done', 'partial', 'failed', 'cancelled')),
            error TEXT NOT NULL DEFAULT '',
            imported_from TEXT NOT NULL DEFAULT '',
            UNIQUE (campaign_id, scheme_id, batch_size)
        ) STRICT)"),

        QStringLiteral(R"(CREATE TABLE sample (
            id INTEGER PRIMARY KEY,
            run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
            task_id TEXT NOT NULL CHECK (task_id <> ''),
            sample_index INTEGER NOT NULL CHECK (sample_index >= 0),
            completion TEXT NOT NULL,
            verdict TEXT NOT NULL CHECK (verdict IN ('passed', 'failed', 'timed_out', 'error', 'unscored')),
            detail TEXT NOT NULL,
            stop_reason TEXT NOT NULL,
            prompt_tokens INTEGER NOT NULL CHECK (prompt_tokens >= 0),
            completion_tokens INTEGER NOT NULL CHECK (completion_tokens >= 0),
            ttft_ms REAL NOT NULL CHECK (ttft_ms >= 0),
            total_ms REAL NOT NULL CHECK (total_ms >= 0),
            stored_at TEXT NOT NULL CHECK (stored_at GLOB '????-??-??T??:??:??.???Z'),
            UNIQUE (run_id, task_id, sample_index)
        ) STRICT)"),
        QStringLiteral("CREATE INDEX sample_verdict ON sample (run_id, verdict)"),

        // The gaps of one request are a JSON array: they are written once and read together, and a row a gap
        // would be some hundred thousand rows a campaign. SQL still reaches each: json_each(itl_ms).
        QStringLiteral(R"(CREATE TABLE latency (
            run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
            round INTEGER NOT NULL CHECK (round >= 0),
            request INTEGER NOT NULL CHECK (request >= 0),
            prompt_tokens INTEGER NOT NULL CHECK (prompt_tokens >= 0),
            output_tokens INTEGER NOT NULL CHECK (output_tokens >= 0),
            ttft_ms REAL NOT NULL CHECK (ttft_ms >= 0),
            e2e_ms REAL NOT NULL CHECK (e2e_ms >= 0),
            itl_ms TEXT NOT NULL CHECK (json_valid(itl_ms) AND json_type(itl_ms) = 'array'),
            PRIMARY KEY (run_id, round, request)
        ) STRICT, WITHOUT ROWID)"),

        // What the device reported while a campaign ran: watts, degrees, MHz.
        QStringLiteral(R"(CREATE TABLE telemetry (
            id INTEGER PRIMARY KEY,
            campaign_id INTEGER NOT NULL REFERENCES campaign (id) ON DELETE CASCADE,
            run_id INTEGER REFERENCES run (id) ON DELETE CASCADE,
            measured_at TEXT NOT NULL CHECK (measured_at GLOB '????-??-??T??:??:??.???Z'),
            name TEXT NOT NULL CHECK (name <> ''),
            value REAL NOT NULL
        ) STRICT)"),
        QStringLiteral("CREATE INDEX telemetry_campaign ON telemetry (campaign_id, name, measured_at)"),
        QStringLiteral("CREATE INDEX telemetry_run ON telemetry (run_id)"),

        QStringLiteral(R"(CREATE TABLE metric (
            run_id INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
            name TEXT NOT NULL CHECK (name <> ''),
            value REAL NOT NULL,
            PRIMARY KEY (run_id, name)
        ) STRICT, WITHOUT ROWID)"),
    };
}

} // namespace quantscope::storage
