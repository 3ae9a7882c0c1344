// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/campaign_repository.h"
#include "storage/latency_repository.h"
#include "storage/metric_repository.h"
#include "storage/problem_repository.h"
#include "storage/run_repository.h"
#include "storage/sample_repository.h"

namespace quantscope::storage {

/// All repositories on one connection, for the thread that owns it.
struct Repositories {
    explicit Repositories(Database& database)
        : campaigns(database), runs(database), problems(database), samples(database), latencies(database),
          metrics(database) {}

    CampaignRepository campaigns;
    RunRepository runs;
    ProblemRepository problems;
    SampleRepository samples;
    LatencyRepository latencies;
    MetricRepository metrics;
};

} // namespace quantscope::storage
